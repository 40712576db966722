// React as one file, for pages that are written without a build (notebook 06).
export { createElement, useEffect, useState } from "react";
export { createRoot } from "react-dom/client";
