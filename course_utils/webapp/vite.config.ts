import react from "@vitejs/plugin-react";
import { defineConfig, type Plugin } from "vite";
import { singlePage } from "./single.ts";

const RUNTIME = "node_modules/@litertjs/core/wasm/litert_wasm_compat_internal";

// `vite build` makes the page, `vite build --mode react` adds React as a file of its own,
// `vite build --mode browser` what `export.browser` copies.
export default defineConfig(({ mode }) => ({
  plugins: mode === "browser" ? [browserFiles(), singlePage()] : [react()],
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
    ...(mode === "browser" && {
      outDir: "dist/browser",
      rolldownOptions: {
        // They share no code but types, so each becomes one file. Without imports and exports the
        // worker is a classic script, too, which also runs where the page is a file.
        input: ["page", "worker", "sw"].map((name) => `src/browser/${name}.ts`),
        output: { entryFileNames: "[name].js" },
      },
    }),
  },
  server: { proxy: { "/api": "http://127.0.0.1:5000" } }, // `npm run dev` beside `course serve image`
}));

/** The files that are copied as they are, and an export for the runtime's script. */
function browserFiles(): Plugin {
  const copies = {
    "index.html": "src/browser/index.html",
    "look.css": "src/shared/look.css",
    "icon.svg": "src/shared/icon.svg",
    "litert.wasm": `${RUNTIME}.wasm`,
  };
  return {
    name: "browser-files",
    async generateBundle() {
      for (const [fileName, path] of Object.entries(copies)) {
        this.emitFile({ type: "asset", fileName, source: await this.fs.readFile(path) });
      }
      const texts = ["src/browser/NOTICE", "../../LICENSE"].map((path) =>
        this.fs.readFile(path, { encoding: "utf8" }),
      );
      const source = (await Promise.all(texts)).join("");
      this.emitFile({ type: "asset", fileName: "NOTICE", source });
    },
    transform(code, id) {
      if (!id.endsWith(`${RUNTIME}.js`)) return undefined;
      // The function that starts the runtime, without what concerns Node.
      const start = code.slice(0, code.indexOf("// Export using a UMD style export"));
      const inBrowser = start.replace(/ENVIRONMENT_IS_NODE = [^;]+;/, "ENVIRONMENT_IS_NODE = false;");
      return `${inBrowser}\nexport default ModuleFactory;`;
    },
  };
}
