// What the browser has to have.

import { isEmbedded } from "./files";
import type { Model } from "./messages";

// A module that holds one instruction of SIMD: `i8x16.splat`, then `i8x16.popcnt`.
const SIMD = [
  0, 97, 115, 109, 1, 0, 0, 0, 1, 5, 1, 96, 0, 1, 123, 3, 2, 1, 0, 10, 10, 1, 8, 0, 65, 0, 253, 15,
  253, 98, 11,
];

/** @throws Error that names what is missing. */
export function findMissing(kind: Model["kind"]): void {
  const hasWasm = typeof WebAssembly === "object";
  const takesPictures = kind !== "row";
  const wanted: [string, boolean][] = [
    ["WebAssembly", hasWasm],
    ["SIMD in WebAssembly", !hasWasm || WebAssembly.validate(new Uint8Array(SIMD))],
    ["Worker", typeof Worker === "function"],
    ["OffscreenCanvas", !takesPictures || typeof OffscreenCanvas === "function"],
    ["createImageBitmap", !takesPictures || typeof createImageBitmap === "function"],
    ["DecompressionStream", !isEmbedded() || typeof DecompressionStream === "function"],
  ];
  const missing = wanted.filter(([, isThere]) => !isThere).map(([name]) => name);
  if (!missing.length) return;
  throw new Error(
    `This browser lacks ${new Intl.ListFormat("en").format(missing)}. ` +
      "Chrome, Edge, Firefox and Safari have it since May 2023: use a newer version. " +
      "Some browsers take it away in a mode of higher security: leave this mode for this page.",
  );
}
