// What a visitor may choose, drop or paste: a file, or a photo's address.

import {
  classifyPhoto,
  classifyUrl,
  fetchModel,
  type Answer,
  type Model,
} from "./api";
import { checkPhoto, findFile } from "./complaints";

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
    await checkPhoto(source.photo, model ?? (await fetchModel(signal).catch(() => undefined)));
  }
  return "photo" in source
    ? classifyPhoto(source.photo, signal)
    : classifyUrl(source.url, signal);
}

/** The one photo or address in what was dropped or pasted; undefined where there is none. */
export function sourceIn(data: DataTransfer): Source | undefined {
  const photo = findFile(data);
  if (photo) return { photo };
  const text = data.getData("text/uri-list") || data.getData("text/plain");
  const url = text.trim().split(/\s/, 1)[0] ?? "";
  return /^https?:\/\//i.test(url) ? { url } : undefined;
}
