// The pixels of a photo, as `images.read_image` of the Python side reads them.

import { strip } from "./image_files";
import { Refusal, reportDamage } from "./refusals";
import { BILINEAR, resize, type Picture } from "./resize";

const MAX_PIXELS = 25_000_000;
const MAX_SIDE_PIXELS = 65_535;

/** Red, green, blue, and an alpha of 255. */
export type Photo = Picture<Uint8ClampedArray<ArrayBuffer>>;

export interface Size {
  width: number;
  height: number;
}

/** A photo, upright, on white, in the size that is chosen for its own. */
export async function readPhoto(data: Blob, choose: (own: Size) => Size): Promise<Photo> {
  const { file, orientation, jpeg } = await strip(data);
  if (jpeg) checkSize(jpeg);
  // Turned last, when the picture is small: so the size wanted is turned for now.
  const asInFile = (size: Size) => (isTurned(orientation) ? exchange(size) : size);
  const fit = (own: Size) => asInFile(choose(asInFile(own)));
  const photo = (jpeg && (await decodeSmaller(file, jpeg, fit(jpeg)))) ?? (await decode(file));
  const { width, height } = fit(jpeg ?? photo);
  return turn(resize(photo, width, height, BILINEAR), orientation);
}

/**
 * A JPEG more than eight times as large as it is wanted, decoded at 1/2, 1/4 or 1/8 as Pillow's
 * `draft` does it; null where it is smaller, or the browser has no decoder that can.
 */
async function decodeSmaller(file: Blob, own: Size, wanted: Size): Promise<Photo | null> {
  const ratio = Math.min(own.width / wanted.width, own.height / wanted.height) / 4;
  const factor = [8, 4, 2].find((each) => ratio >= each);
  if (!factor || !("ImageDecoder" in self)) return null;
  const [desiredWidth, desiredHeight] = [own.width, own.height].map((it) => Math.ceil(it / factor));
  const decoder = new ImageDecoder({
    data: file.stream(),
    type: "image/jpeg",
    colorSpaceConversion: "none",
    desiredWidth: desiredWidth!,
    desiredHeight: desiredHeight!,
  });
  try {
    const { image } = await decoder.decode();
    const { displayWidth: width, displayHeight: height } = image;
    if (width === desiredWidth && height === desiredHeight) return readPixels(image, { width, height });
    image.close();
  } catch {
    // The browser's other decoder will say what is wrong.
  } finally {
    decoder.close();
  }
  return null;
}

async function decode(file: Blob): Promise<Photo> {
  const decoding = createImageBitmap(file, {
    colorSpaceConversion: "none", // else the browser would convert colours
    premultiplyAlpha: "none", // else Chromium would round the colours of a WebP twice
  });
  const bitmap = await decoding.catch(() => {
    throw reportDamage();
  });
  checkSize(bitmap);
  return readPixels(bitmap, bitmap);
}

function checkSize({ width, height }: Size): void {
  if (width * height > MAX_PIXELS || Math.max(width, height) > MAX_SIDE_PIXELS) {
    const received = `${width.toLocaleString("en")} × ${height.toLocaleString("en")} pixels`;
    const allowed = `at most ${MAX_PIXELS / 1e6} million pixels, and ${MAX_SIDE_PIXELS.toLocaleString("en")} a side`;
    throw new Refusal("The image has too many pixels.", received, `${allowed}; make it smaller`);
  }
}

/** The pixels of a picture on white; closes the picture. */
function readPixels(picture: ImageBitmap | VideoFrame, { width, height }: Size): Photo {
  const ink = new OffscreenCanvas(width, height).getContext("2d", { willReadFrequently: true })!;
  ink.fillStyle = "white";
  ink.fillRect(0, 0, width, height);
  ink.drawImage(picture, 0, 0);
  picture.close();
  return { width, height, channels: 4, values: ink.getImageData(0, 0, width, height).data };
}

function exchange({ width, height }: Size): Size {
  return { width: height, height: width };
}

/** Whether width and height are exchanged. */
function isTurned(orientation: number): boolean {
  return orientation >= 5;
}

/** Upright, from an orientation of EXIF. */
function turn(photo: Photo, orientation: number): Photo {
  if (orientation === 1) return photo;
  const { width, height, channels } = photo;
  const [toWidth, toHeight] = isTurned(orientation) ? [height, width] : [width, height];
  const pixels = new Uint32Array(photo.values.buffer); // of four values each
  const values = new Uint8ClampedArray(photo.values.length);
  const turned = new Uint32Array(values.buffer);
  for (let at = 0; at < turned.length; at++) {
    const place = [at % toWidth, Math.trunc(at / toWidth)] as const;
    const [across, down] = isTurned(orientation) ? [place[1], place[0]] : place;
    const x = [2, 3, 7, 8].includes(orientation) ? width - 1 - across : across;
    const y = [3, 4, 6, 7].includes(orientation) ? height - 1 - down : down;
    turned[at] = pixels[y * width + x]!;
  }
  return { width: toWidth, height: toHeight, channels, values };
}
