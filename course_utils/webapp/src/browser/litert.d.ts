// The script that emscripten made beside the runtime's .wasm file; vite.config.ts gives it an export.
declare module "@litertjs/core/wasm/litert_wasm_compat_internal.js" {
  const ModuleFactory: unknown;
  export default ModuleFactory;
}
