import react from "@vitejs/plugin-react";
import { defineConfig } from "vite";

export default defineConfig({
  plugins: [react()],
  base: "./", // links are relative: the page also runs behind a proxy that adds a path
  build: {
    assetsInlineLimit: 0, // the service's policy for pages allows files, nothing inline
    modulePreload: { polyfill: false }, // there is one script
  },
  server: { proxy: { "/api": "http://127.0.0.1:5000" } }, // `npm run dev` beside `course serve image`
});
