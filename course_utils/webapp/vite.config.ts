import react from "@vitejs/plugin-react";
import { defineConfig } from "vite";

// `vite build` makes the page, `vite build --mode react` adds React as a file of its own.
export default defineConfig(({ mode }) => ({
  plugins: [react()],
  base: "./", // links are relative: the page also runs behind a proxy that adds a path
  build: {
    assetsInlineLimit: 0, // the service's policy for pages allows files, nothing inline
    modulePreload: { polyfill: false }, // there is one script
    ...(mode === "react" && {
      emptyOutDir: false,
      rolldownOptions: {
        input: "src/react.ts",
        preserveEntrySignatures: "strict", // a page imports the names
        output: { entryFileNames: "react.js" },
      },
    }),
  },
  server: { proxy: { "/api": "http://127.0.0.1:5000" } }, // `npm run dev` beside `course serve image`
}));
