import { defineConfig } from "vite";

const RUNTIME = "node_modules/@litertjs/core";

// `vite build --config litert.config.ts` makes the files of LiteRT.js for pages that are written by
// hand, as in notebook 12: a browser cannot import a package by its name. The .wasm file that they
// load is dist/browser/litert.wasm.
export default defineConfig({
  build: {
    outDir: "dist/litert",
    rolldownOptions: {
      input: `${RUNTIME}/dist/index.js`,
      preserveEntrySignatures: "strict", // a page imports the names
      output: { entryFileNames: "litert.js" },
    },
  },
  plugins: [
    {
      name: "glue",
      async generateBundle() {
        const fileName = "litert_wasm_compat_internal.js";
        const source = await this.fs.readFile(`${RUNTIME}/wasm/${fileName}`);
        this.emitFile({ type: "asset", fileName, source });
      },
    },
  ],
});
