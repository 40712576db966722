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
      name: "copies",
      async generateBundle() {
        const glue = "litert_wasm_compat_internal.js";
        for (const path of [`${RUNTIME}/wasm/${glue}`, "src/browser/NOTICE"]) {
          const fileName = path.split("/").at(-1)!;
          this.emitFile({ type: "asset", fileName, source: await this.fs.readFile(path) });
        }
      },
    },
  ],
});
