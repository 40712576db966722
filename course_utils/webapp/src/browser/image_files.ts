// The parts of an image file: only those that make the pixels are decoded, as on the Python side
// (`images.reading`), so that no colour profile and no orientation changes what the network gets.
// (JPEG: ITU-T T.81; PNG: W3C, third edition; WebP: RFC 9649; EXIF: CIPA DC-008, 4.6.5.)

import { nameKind, Refusal, reportDamage, reportTruncation } from "./refusals";

const MAX_BYTES = 10_000_000;
const START = /^(\xff\xd8\xff|\x89PNG\r\n\x1a\n|GIF8[79]a|RIFF....WEBP|BM)/s;
const PNG_KEPT = ["IHDR", "PLTE", "tRNS", "IDAT", "IEND"];
const ORIENTATION_TAG = 0x0112;

type Bytes = Uint8Array<ArrayBuffer>;

export interface Stripped {
  file: Blob;
  /** From 1 to 8, as EXIF has it: 1 is upright. */
  orientation: number;
  /** Of a JPEG its size, as it is stored. */
  jpeg?: { width: number; height: number };
}

/** The file without what decoding does not need, and how its picture has to be turned. */
export async function strip(file: Blob): Promise<Stripped> {
  if (file.size > MAX_BYTES) {
    const [received, allowed] = [file.size, MAX_BYTES].map((it) => `${it.toLocaleString("en")} bytes`);
    throw new Refusal("The file is too large.", received!, `at most ${allowed}`);
  }
  const bytes = new Uint8Array(await file.arrayBuffer());
  const start = readText(bytes, 0, 1000);
  if (!START.test(start)) {
    const detail = "This is not an image of a kind that is read here.";
    throw new Refusal(detail, nameKind(start), "a JPEG, PNG, WebP, GIF or BMP image");
  }
  try {
    if (start.startsWith("\xff\xd8")) return stripJpeg(bytes);
    if (start.startsWith("\x89PNG")) return stripPng(bytes);
    if (start.startsWith("RIFF")) return stripWebp(bytes);
  } catch (error) {
    if (error instanceof RangeError) throw reportTruncation(); // a number beyond the file's end
    throw error;
  }
  if (start.startsWith("BM") && bytes.length > 34 && [1, 2].includes(view(bytes).getUint32(30, true))) {
    throw reportDamage("a compressed BMP, which is not read here");
  }
  return { file: new Blob([bytes]), orientation: 1 };
}

function stripJpeg(bytes: Bytes): Stripped {
  const kept = [bytes.subarray(0, 2)];
  let orientation = 1;
  let jpeg = { width: 0, height: 0 };
  let at = 2;
  for (;;) {
    // A marker is neither padding (0xFF) nor an escaped 0xFF of the picture (0xFF 0x00).
    while (bytes[at] !== 0xff || bytes[at + 1] === 0xff || bytes[at + 1] === 0) {
      if ((at += 1) >= bytes.length) throw reportTruncation();
    }
    const kind = bytes[at + 1]!;
    if (kind === 0xda) break; // here the pixels begin
    const end = at + 2 + view(bytes).getUint16(at + 2);
    if (kind === 0xe1 && readText(bytes, at + 4, at + 10) === "Exif\0\0") {
      orientation = readOrientation(bytes.subarray(at + 10, end));
    } else if (kind < 0xe1 || kind === 0xee || (kind > 0xef && kind !== 0xfe)) {
      kept.push(bytes.subarray(at, end)); // no other APPn segment, and no comment
    }
    if (kind >= 0xc0 && kind <= 0xcf && ![0xc4, 0xc8, 0xcc].includes(kind)) {
      const [height, width] = [at + 5, at + 7].map((place) => view(bytes).getUint16(place));
      jpeg = { width: width!, height: height! };
    }
    at = end;
  }
  // What phones append (a second photo, a video) is left out.
  for (let end = at; end < bytes.length - 1; end++) {
    if (bytes[end] === 0xff && bytes[end + 1] === 0xd9) {
      return { file: new Blob([...kept, bytes.subarray(at, end + 2)]), orientation, jpeg };
    }
  }
  throw reportTruncation();
}

function stripPng(bytes: Bytes): Stripped {
  const kept = [bytes.subarray(0, 8)];
  let orientation = 1;
  for (let at = 8, kind = ""; kind !== "IEND"; ) {
    const end = at + 12 + view(bytes).getUint32(at);
    if (end > bytes.length) throw reportTruncation();
    kind = readText(bytes, at + 4, at + 8);
    // The clear colour of a 16-bit picture means another one once 8 bits are left.
    const isOfMoreBits = kind === "tRNS" && bytes[24] === 16;
    if (PNG_KEPT.includes(kind) && !isOfMoreBits) kept.push(bytes.subarray(at, end));
    if (kind === "eXIf") orientation = readOrientation(bytes.subarray(at + 8, end - 4));
    at = end;
  }
  return { file: new Blob(kept), orientation };
}

function stripWebp(bytes: Bytes): Stripped {
  const end = 8 + view(bytes).getUint32(4, true);
  if (end > bytes.length) throw reportTruncation();
  let orientation = 1;
  for (let at = 12; at + 8 <= end; ) {
    const size = view(bytes).getUint32(at + 4, true);
    if (readText(bytes, at, at + 4) === "EXIF") {
      const exif = bytes.subarray(at + 8, at + 8 + size);
      orientation = readOrientation(readText(exif, 0, 6) === "Exif\0\0" ? exif.subarray(6) : exif);
      bytes[at] = "x".charCodeAt(0); // a chunk of an unknown kind is passed over
    }
    at += 8 + size + (size % 2);
  }
  return { file: new Blob([bytes]), orientation };
}

/** The tag Orientation of an EXIF block; 1 where it says nothing usable. */
function readOrientation(tiff: Bytes): number {
  const order = readText(tiff, 0, 2);
  if (order !== "II" && order !== "MM") return 1;
  const isLittle = order === "II";
  const numbers = view(tiff);
  try {
    const start = numbers.getUint32(4, isLittle);
    const count = numbers.getUint16(start, isLittle);
    for (let at = start + 2; at < start + 2 + 12 * count; at += 12) {
      if (numbers.getUint16(at, isLittle) !== ORIENTATION_TAG) continue;
      const [kind, value] = [at + 2, at + 8].map((place) => numbers.getUint16(place, isLittle));
      return kind === 3 && value! >= 1 && value! <= 8 ? value! : 1;
    }
  } catch {
    // Damaged: the picture may be good all the same.
  }
  return 1;
}

function view({ buffer, byteOffset, byteLength }: Bytes): DataView {
  return new DataView(buffer, byteOffset, byteLength);
}

/** Bytes as characters of the same numbers. */
function readText(bytes: Bytes, from: number, to: number): string {
  return String.fromCharCode(...bytes.subarray(from, to));
}
