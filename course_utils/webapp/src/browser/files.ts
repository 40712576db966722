// The files beside the page; where the page is one HTML file, it carries them itself.

import type { Model, Packed } from "./messages";

const NO_HOST = "Is its host still there? Load the page again later.";
const NO_ORIGIN =
  "Browsers keep the files of a folder from a page that was opened from the disk, or in a frame " +
  "with “sandbox”. Open it through a host of files, such as “python -m http.server” in this " +
  "folder, or make one file of it: “course export browser NAME --single-file”.";

/** How many bytes have come since the last call. */
type Listener = (bytes: number) => void;

/** What the page carries of a file: base64 of its bytes in gzip, or the text of NOTICE. */
function findEmbedded(name: string): string | undefined {
  return document.getElementById(name)?.textContent.trim();
}

/** Whether the page is one HTML file. */
export function isEmbedded(): boolean {
  return findEmbedded("model.json") !== undefined;
}

/** The licences of what the page holds. */
export async function readNotice(): Promise<string> {
  const embedded = findEmbedded("NOTICE");
  if (embedded) return embedded;
  return (await fetchOwn("NOTICE")).text();
}

export async function loadModel(): Promise<Model> {
  const embedded = findEmbedded("model.json");
  if (embedded) return JSON.parse(await unpackText(embedded)) as Model;
  return (await (await fetchOwn("model.json")).json()) as Model;
}

/** @throws Error: the file does not come. */
async function fetchOwn(name: string): Promise<Response> {
  let reply;
  try {
    reply = await fetch(name, { cache: "no-cache" });
  } catch {
    // Its origin is "null" where it was opened from the disk, or in a frame with "sandbox".
    const remedy = self.origin === "null" || location.protocol === "file:" ? NO_ORIGIN : NO_HOST;
    throw new Error(`${name} cannot be fetched. ${remedy}`);
  }
  if (!reply.ok) throw new Error(`${name} is missing beside this page (status ${reply.status}).`);
  return reply;
}

export async function startWorker({ version }: Model): Promise<Worker> {
  const embedded = findEmbedded("worker.js");
  if (!embedded) return new Worker(`worker.js?${version}`); // none of an older version
  const script = new Blob([await unpackText(embedded)], { type: "text/javascript" });
  return new Worker(URL.createObjectURL(script));
}

/** @throws Error: it is missing, or another file than model.json says. */
export async function loadFile(name: string, model: Model, onBytes: Listener): Promise<Packed> {
  const embedded = findEmbedded(name);
  if (embedded) return embedded;
  const bytes = await fetchBytes(name, onBytes);
  // Over http, other than from this device, browsers compute no digests.
  const digest = await self.crypto.subtle?.digest("SHA-256", bytes);
  const hex = (byte: number) => byte.toString(16).padStart(2, "0");
  const found = digest && Array.from(new Uint8Array(digest), hex).join("");
  const { bytes: length, sha256 } = model.files[name]!;
  if (bytes.length !== length || (found && found !== sha256)) {
    throw new Error(
      `${name} is not the file that model.json names: it is damaged, or was replaced just now. ` +
        "Load the page again. If that does not help, export the network again.",
    );
  }
  return bytes;
}

async function fetchBytes(name: string, onBytes: Listener): Promise<Uint8Array<ArrayBuffer>> {
  const reply = await fetchOwn(name);
  const parts: Uint8Array[] = [];
  let length = 0;
  const reader = reply.body!.getReader();
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
