import { StrictMode } from "react";
import { createRoot } from "react-dom/client";

import { App } from "./App";
import "./shared/look.css";

createRoot(document.getElementById("root")!).render(
  <StrictMode>
    <App />
  </StrictMode>,
);
