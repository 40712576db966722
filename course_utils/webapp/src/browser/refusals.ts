// What is said of a file that is not taken: the sentences of `images.refusals` of the Python side.

import type { Fault } from "./messages";

// What people choose by mistake, by the bytes it starts with.
const OTHER_KINDS: [RegExp, string][] = [
  [/^$/, "an empty file"],
  [/^....ftyp(hei|hev|mif|msf)/s, "a HEIC photo, as iPhones take them"],
  [/^....ftypavi[fs]/s, "an AVIF image"],
  [/^....ftyp/s, "a video"],
  [/^(II\*\0|MM\0\*)/, "a TIFF image"],
  [/^%PDF/, "a PDF document"],
  [/^PK\x03\x04/, "a ZIP archive"],
  [/^(\xef\xbb\xbf)?\s*(<[^\0]*)?<svg/, "an SVG drawing"],
  [/^(\xef\xbb\xbf)?\s*</, "a page of HTML or XML"],
];

/** The file is not read; `fault` says why to a person. */
export class Refusal extends Error {
  readonly fault: Fault;

  constructor(detail: string, received: string, allowed: string) {
    super(detail);
    this.fault = { detail, received, allowed };
  }
}

/** What a file is that is no image of a kind that is read here, by its first bytes. */
export function nameKind(start: string): string {
  return OTHER_KINDS.find(([form]) => form.test(start))?.[1] ?? "a file of another kind";
}

export function reportDamage(received = "an image whose inside is damaged"): Refusal {
  const allowed = "an undamaged file; open it and save it anew";
  return new Refusal("The image cannot be decoded.", received, allowed);
}

export function reportTruncation(): Refusal {
  const detail = "The image is truncated: the file ends before the picture does.";
  return new Refusal(detail, "a part of an image", "the whole file; send it again");
}

/** What the page is told of an error. */
export function explain(error: unknown): Fault {
  if (error instanceof Refusal) return error.fault;
  return { detail: error instanceof Error ? error.message : String(error) };
}
