// A drawing of a digit in the form of MNIST's digits: what `images.digits` of the Python side does
// with a clean drawing, dark on white.

import { BICUBIC, BOX, resize, type Picture } from "./resize";

const SIDE_PIXELS = 28; // of MNIST's pictures
const BOX_PIXELS = 20; // of the digit in them
const MIN_INK = 0.1; // of what is not paper

/** 28 × 28 values, 0 paper to 1 ink. */
export function toMnist(drawing: Picture): Float32Array {
  return centre(scale(crop(toInk(drawing))));
}

function toInk({ width, height, channels, values }: Picture): Picture<Float32Array<ArrayBuffer>> {
  const ink = new Float32Array(width * height);
  for (let at = 0; at < ink.length; at++) ink[at] = (255 - values[at * channels]!) / 255;
  return { width, height, channels: 1, values: ink };
}

function crop(ink: Picture<Float32Array<ArrayBuffer>>): Picture<Float32Array<ArrayBuffer>> {
  let [top, bottom, left, right] = [ink.height, -1, ink.width, -1];
  ink.values.forEach((value, at) => {
    if (value <= MIN_INK) return;
    const [y, x] = [Math.trunc(at / ink.width), at % ink.width];
    [top, bottom] = [Math.min(top, y), Math.max(bottom, y)];
    [left, right] = [Math.min(left, x), Math.max(right, x)];
  });
  if (bottom < 0) throw new Error("Nothing is drawn yet.");
  const [width, height] = [right - left + 1, bottom - top + 1];
  const values = new Float32Array(width * height);
  for (let y = 0; y < height; y++) {
    const from = (top + y) * ink.width + left;
    values.set(ink.values.subarray(from, from + width), y * width);
  }
  return { width, height, channels: 1, values };
}

function scale(digit: Picture<Float32Array<ArrayBuffer>>): Picture<Float32Array<ArrayBuffer>> {
  const factor = BOX_PIXELS / Math.max(digit.width, digit.height);
  const [width, height] = [digit.width, digit.height].map((side) =>
    Math.max(1, roundHalfToEven(side * factor)),
  ) as [number, number];
  const small = resize(digit, width, height, factor > 1 ? BICUBIC : BOX);
  const values = small.values.map((value) => Math.min(1, Math.max(0, value)));
  const most = values.reduce((a, b) => Math.max(a, b));
  return { ...small, values: values.map((value) => value / most) };
}

/** The centre of mass in the middle of the picture. */
function centre({ width, height, values }: Picture<Float32Array<ArrayBuffer>>): Float32Array {
  let [mass, down, across] = [0, 0, 0];
  values.forEach((value, at) => {
    mass += value;
    down += value * Math.trunc(at / width);
    across += value * (at % width);
  });
  const start = (middle: number, side: number) =>
    Math.min(SIDE_PIXELS - side, Math.max(0, roundHalfToEven(SIDE_PIXELS / 2 - middle)));
  const [top, left] = [start(down / mass, height), start(across / mass, width)];
  const picture = new Float32Array(SIDE_PIXELS * SIDE_PIXELS);
  for (let y = 0; y < height; y++) {
    picture.set(values.subarray(y * width, (y + 1) * width), (top + y) * SIDE_PIXELS + left);
  }
  return picture;
}

/** As Python rounds. */
function roundHalfToEven(value: number): number {
  return Math.abs(value % 1) === 0.5 ? 2 * Math.round(value / 2) : Math.round(value);
}
