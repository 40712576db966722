// The pixels of a photo, as `images.read_image` of the Python side reads them.

import { strip } from "./image_files";
import { Refusal, reportDamage } from "./refusals";
import { BILINEAR, resize, type Picture } from "./resize";

const MAX_PIXELS = 25_000_000;
const MAX_SIDE_PIXELS = 65_535;

/** Red, green, blue, and an alpha of 255. */
type Photo = Picture<Uint8ClampedArray<ArrayBuffer>>;

/** A photo, upright, on white, in its own size or in the one that is wanted. */
export async function readPhoto(data: Blob, size?: { width: number; height: number }): Promise<Photo> {
  const { file, orientation } = await strip(data);
  const photo = await decode(file);
  if (!size) return turn(photo, orientation);
  // Turned last, when the picture is small: so the size wanted is turned for now.
  const { width, height } = isTurned(orientation) ? { width: size.height, height: size.width } : size;
  return turn(resize(photo, width, height, BILINEAR), orientation);
}

async function decode(file: Blob): Promise<Photo> {
  // Without the option, the browser would convert colours.
  const decoding = createImageBitmap(file, { colorSpaceConversion: "none" });
  const bitmap = await decoding.catch(() => {
    throw reportDamage();
  });
  const { width, height } = bitmap;
  if (width * height > MAX_PIXELS || Math.max(width, height) > MAX_SIDE_PIXELS) {
    const received = `${width.toLocaleString("en")} × ${height.toLocaleString("en")} pixels`;
    const allowed = `at most ${MAX_PIXELS / 1e6} million pixels, and ${MAX_SIDE_PIXELS.toLocaleString("en")} a side`;
    throw new Refusal("The image has too many pixels.", received, `${allowed}; make it smaller`);
  }
  const ink = new OffscreenCanvas(width, height).getContext("2d", { willReadFrequently: true })!;
  ink.fillStyle = "white";
  ink.fillRect(0, 0, width, height);
  ink.drawImage(bitmap, 0, 0);
  bitmap.close();
  return { width, height, channels: 4, values: ink.getImageData(0, 0, width, height).data };
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
