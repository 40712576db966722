// The files beside the page; where the page is one HTML file, it carries them itself.

import type { Model, Packed } from "./messages";

/** How many bytes have come since the last call. */
type Listener = (bytes: number) => void;

/** Base64 of a file in gzip, where the page carries it. */
function findEmbedded(name: string): string | undefined {
  return document.getElementById(name)?.textContent.trim();
}

export async function loadModel(): Promise<Model> {
  const embedded = findEmbedded("model.json");
  if (embedded) return JSON.parse(await unpackText(embedded)) as Model;
  const reply = await fetch("model.json", { cache: "no-cache" });
  if (!reply.ok) throw new Error(`model.json is missing beside this page (status ${reply.status}).`);
  return (await reply.json()) as Model;
}

export async function startWorker(): Promise<Worker> {
  const embedded = findEmbedded("worker.js");
  if (!embedded) return new Worker("worker.js");
  const script = new Blob([await unpackText(embedded)], { type: "text/javascript" });
  return new Worker(URL.createObjectURL(script));
}

export async function loadFile(name: string, onBytes: Listener): Promise<Packed> {
  const embedded = findEmbedded(name);
  if (embedded) return embedded;
  const reply = await fetch(name);
  if (!reply.ok || !reply.body) {
    throw new Error(`${name} is missing beside this page (status ${reply.status}).`);
  }
  const parts: Uint8Array[] = [];
  let length = 0;
  const reader = reply.body.getReader();
  for (let part = await reader.read(); !part.done; part = await reader.read()) {
    parts.push(part.value);
    length += part.value.length;
    onBytes(part.value.length);
  }
  const bytes = new Uint8Array(length);
  let at = 0;
  for (const part of parts) {
    bytes.set(part, at);
    at += part.length;
  }
  return bytes;
}

async function unpackText(packed: string): Promise<string> {
  const bytes = Uint8Array.from(atob(packed), (char) => char.charCodeAt(0));
  const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"));
  return new Response(stream).text();
}
