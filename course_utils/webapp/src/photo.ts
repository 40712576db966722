// What a visitor may choose, drop or paste: a file, or a photo's address.

import {
  classifyPhoto,
  classifyUrl,
  fetchModel,
  type Answer,
  type Model,
} from "./api";
import { Complaint } from "./problems";

export type Source = { photo: File } | { url: string };

/** What the page calls it: a file's name, or the host that an address names. */
export function label(source: Source): string {
  if ("photo" in source) return source.photo.name || "your photo";
  try {
    return new URL(source.url).hostname || "this address";
  } catch {
    return "this address";
  }
}

/** Ask the service; photos that it would refuse are not sent at all. */
export async function classify(
  source: Source,
  model: Model | undefined,
  signal: AbortSignal,
): Promise<Answer> {
  if ("photo" in source) {
    // A photo may be chosen while the page still waits for what the service says of itself.
    await check(source.photo, model ?? (await fetchModel(signal).catch(() => undefined)));
  }
  return "photo" in source
    ? classifyPhoto(source.photo, signal)
    : classifyUrl(source.url, signal);
}

async function check(photo: File, model: Model | undefined): Promise<void> {
  if (photo.type && !photo.type.startsWith("image/")) {
    throw new Complaint("This is not a photo", `“${photo.name}” is another kind of file.`, [
      `a photo: ${formats(model)}`,
    ]);
  }
  if (model && photo.size > model.max_bytes) {
    throw new Complaint(
      "This photo is too large",
      `It has ${megabytes(photo.size)}; the service takes at most ${megabytes(model.max_bytes)}. ` +
        "Save it smaller: the network takes a few hundred pixels a side in any case.",
    );
  }
  await photo.slice(0, 1).arrayBuffer().catch(() => {
    throw new Complaint("This file cannot be read", "A folder, perhaps, or it has changed since.", [
      `a photo: ${formats(model)}`,
    ]);
  });
}

/** The one photo or address in what was dropped or pasted; undefined where there is none. */
export function sourceIn(data: DataTransfer): Source | undefined {
  if (data.files.length > 1) {
    throw new Complaint("One photo at a time", `These are ${data.files.length} files.`);
  }
  if (data.files[0]) return { photo: data.files[0] };
  const text = data.getData("text/uri-list") || data.getData("text/plain");
  const url = text.trim().split(/\s/, 1)[0] ?? "";
  return /^https?:\/\//i.test(url) ? { url } : undefined;
}

/** The formats for a file chooser; an iPhone then converts its own into one of them. */
export function accepted(model: Model | undefined): string {
  return model ? model.formats.map((name) => `image/${name.toLowerCase()}`).join() : "image/*";
}

function formats(model: Model | undefined): string {
  return model ? new Intl.ListFormat("en", { type: "disjunction" }).format(model.formats) : "JPEG or PNG";
}

function megabytes(bytes: number): string {
  return `${(bytes / 1e6).toLocaleString("en", { maximumFractionDigits: 1 })} MB`;
}
