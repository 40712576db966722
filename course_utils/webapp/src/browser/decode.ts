// The pixels of a photo, as `images.read_image` of the Python side reads them.

import type { Picture } from "./resize";

/** Red, green, blue and an alpha of 255; upright, on white, colours as they are in the file. */
export async function decodePhoto(file: Blob): Promise<Picture<Uint8ClampedArray<ArrayBuffer>>> {
  const bitmap = await createImageBitmap(file, {
    colorSpaceConversion: "none",
    imageOrientation: "from-image",
  });
  const { width, height } = bitmap;
  const ink = new OffscreenCanvas(width, height).getContext("2d", { willReadFrequently: true })!;
  ink.fillStyle = "white";
  ink.fillRect(0, 0, width, height);
  ink.drawImage(bitmap, 0, 0);
  bitmap.close();
  return { width, height, channels: 4, values: ink.getImageData(0, 0, width, height).data };
}
