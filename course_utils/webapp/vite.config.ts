import react from "@vitejs/plugin-react";
import { defineConfig, type Plugin } from "vite";

const RUNTIME = "node_modules/@litertjs/core/wasm/litert_wasm_compat_internal";

// `vite build` makes the page, `vite build --mode react` adds React as a file of its own,
// `vite build --mode browser` what `export.browser` copies, `vite build --mode litert` the runtime's
// own files, for the pages that notebook 12 writes by hand.
export default defineConfig(({ mode }) => ({
  plugins: mode === "browser" ? [browserFiles()] : mode === "litert" ? [litertFiles()] : [react()],
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
    ...(mode === "litert" && {
      outDir: "dist/litert",
      rolldownOptions: {
        input: "node_modules/@litertjs/core/dist/index.js",
        preserveEntrySignatures: "strict", // a page imports the names
        output: { entryFileNames: "litert.js" },
      },
    }),
  },
  server: { proxy: { "/api": "http://127.0.0.1:5000" } }, // `npm run dev` beside `course serve image`
}));

/** Files that are copied as they are. */
function copying(copies: Record<string, string>): Plugin {
  return {
    name: "copying",
    async generateBundle() {
      for (const [fileName, path] of Object.entries(copies)) {
        this.emitFile({ type: "asset", fileName, source: await this.fs.readFile(path) });
      }
    },
  };
}

/** The script that starts the runtime; the .wasm file lies in dist/browser. */
function litertFiles(): Plugin {
  return copying({
    NOTICE: "src/browser/NOTICE",
    "litert_wasm_compat_internal.js": `${RUNTIME}.js`,
  });
}

/** The files that are copied, and an export for the runtime's script. */
function browserFiles(): Plugin {
  return {
    ...copying({
      "index.html": "src/browser/index.html",
      NOTICE: "src/browser/NOTICE",
      "look.css": "src/shared/look.css",
      "icon.svg": "src/shared/icon.svg",
      "litert.wasm": `${RUNTIME}.wasm`,
    }),
    transform(code, id) {
      if (!id.endsWith(`${RUNTIME}.js`)) return undefined;
      // The function that starts the runtime, without what concerns Node.
      const start = code.slice(0, code.indexOf("// Export using a UMD style export"));
      const inBrowser = start.replace(/ENVIRONMENT_IS_NODE = [^;]+;/, "ENVIRONMENT_IS_NODE = false;");
      return `${inBrowser}\nexport default ModuleFactory;`;
    },
  };
}
