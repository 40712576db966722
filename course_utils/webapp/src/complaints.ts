// What the pages themselves say of a photo that they do not take.

/** A photo that the page itself does not take. */
export class Complaint extends Error {
  constructor(
    readonly title: string,
    detail: string,
    readonly allowed?: string[],
  ) {
    super(detail);
  }
}

/** What is taken: names of formats, and the size of a file. */
export interface Limits {
  formats: string[];
  max_bytes: number;
}

/** Complain of a file that is no photo, too large, or not to be read. */
export async function checkPhoto(photo: File, limits: Limits | undefined): Promise<void> {
  const allowed = [`a photo: ${listFormats(limits)}`];
  if (photo.type && !photo.type.startsWith("image/")) {
    const detail = `“${photo.name}” is another kind of file.`;
    throw new Complaint("This is not a photo", detail, allowed);
  }
  if (limits && photo.size > limits.max_bytes) {
    throw new Complaint(
      "This photo is too large",
      `It has ${megabytes(photo.size)}; at most ${megabytes(limits.max_bytes)} are accepted. ` +
        "Save it smaller: the network takes a few hundred pixels a side in any case.",
    );
  }
  await photo.slice(0, 1).arrayBuffer().catch(() => {
    const detail = "A folder, perhaps, or it has changed since.";
    throw new Complaint("This file cannot be read", detail, allowed);
  });
}

/** The one file in what was dropped or pasted; undefined where there is none. */
export function findFile({ files }: DataTransfer): File | undefined {
  if (files.length > 1) {
    throw new Complaint("One photo at a time", `These are ${files.length} files.`);
  }
  return files[0];
}

/** The formats for a file chooser; an iPhone then converts its own into one of them. */
export function accepted(limits: Limits | undefined): string {
  return limits ? limits.formats.map((name) => `image/${name.toLowerCase()}`).join() : "image/*";
}

function listFormats(limits: Limits | undefined): string {
  const list = new Intl.ListFormat("en", { type: "disjunction" });
  return limits ? list.format(limits.formats) : "JPEG or PNG";
}

export function megabytes(bytes: number): string {
  return `${(bytes / 1e6).toLocaleString("en", { maximumFractionDigits: 1 })} MB`;
}
