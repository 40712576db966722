// A drawing, or a photo on plain paper, of a digit in the form of MNIST's digits: what
// `images.digits` of the Python side does, step by step, with the same numbers. Its comments say why
// each step is there. Its steps for ruled paper and for a dark desk (`images.paper`) are not here.

import type { Photo, Size } from "./decode";
import { blur, dilate, findParts, median, medianFilter, open, type Grey, type Part } from "./filters";
import { Refusal } from "./refusals";
import { BICUBIC, BILINEAR, BOX, resize } from "./resize";

const MAX_SIDE_PIXELS = 400; // of the picture in which the digit is looked for
const SIDE_PIXELS = 28; // of MNIST's pictures
const BOX_PIXELS = 20; // of the digit in them
const POLARITY_SIDE_PIXELS = 32;
const GROUND_SIDE_PIXELS = 200;
const MAX_STROKE_SHARE = 0.3;
const MIN_CONTRAST = 0.12;
const MIN_PEAK_INK = 0.7;
const MIN_STROKE_AREA_SHARE = 0.08;
const MIN_DIGIT_SIDE_SHARE = 0.1;
const MIN_DIGIT_AREA_SHARE = 0.2;
const MIN_HEIGHT_SHARE = 0.55;
const MAX_OVERLAP_SHARE = 0.2;
const MIN_STACK_RATIO = 1.6;
const MIN_STROKE_WIDTH_SHARE = 0.11;

/** The size in which a picture of that width and height is looked at. */
export function fitDrawing({ width, height }: Size): Size {
  const factor = Math.min(1, MAX_SIDE_PIXELS / Math.max(width, height));
  return { width: roundSide(width * factor), height: roundSide(height * factor) };
}

/** 28 × 28 values, 0 paper to 1 ink. */
export function toMnist(drawing: Photo): Float32Array {
  const even = evenOutLight(makeLightOnDark(toGrey(drawing)));
  return centre(scale(thicken(crop(removeSpecks(stretchContrast(even))))));
}

/** Luminance, or a single channel where only that one shows the digit. */
function toGrey({ width, height, values }: Photo): Grey {
  const colours = [0, 1, 2].map((channel) =>
    new Float32Array(width * height).map((_, at) => values[4 * at + channel]! / 255),
  );
  const [red, green, blue] = colours as [Float32Array, Float32Array, Float32Array];
  const luminance = red.map((value, at) => 0.299 * value + 0.587 * green[at]! + 0.114 * blue[at]!);
  const step = Math.max(1, Math.trunc(Math.min(width, height) / 100)); // some pixels are enough
  const isLookedAt = (_: number, at: number) => !(at % width % step) && !(Math.trunc(at / width) % step);
  const spreads = colours.map((colour) => measureSpread(colour.filter(isLookedAt)));
  const widest = Math.max(...spreads);
  const isGrey = measureSpread(luminance.filter(isLookedAt)) >= widest / 2;
  const shown = isGrey ? luminance : colours[spreads.indexOf(widest)]!;
  return { width, height, channels: 1, values: Float32Array.from(shown) };
}

/** The standard deviation. */
function measureSpread(values: Float32Array): number {
  const mean = values.reduce((sum, value) => sum + value, 0) / values.length;
  return Math.sqrt(values.reduce((sum, value) => sum + (value - mean) ** 2, 0) / values.length);
}

function makeLightOnDark(grey: Grey): Grey {
  const small = fit(grey, POLARITY_SIDE_PIXELS);
  const around = medianFilter(small, POLARITY_SIDE_PIXELS / 2 + 1);
  const skew = small.values.reduce((sum, value, at) => sum + (value - around.values[at]!) ** 3, 0);
  return skew < 0 ? { ...grey, values: grey.values.map((value) => 1 - value) } : grey;
}

function evenOutLight(picture: Grey): Grey {
  const grey = blur(picture, Math.max(picture.width, picture.height) / 500);
  const small = fit(grey, GROUND_SIDE_PIXELS);
  const window = Math.trunc(MAX_STROKE_SHARE * Math.max(small.width, small.height)) | 1;
  const ground = resize(open(small, window), grey.width, grey.height, BILINEAR).values;
  const values = grey.values.map((value, at) =>
    clip((value - ground[at]!) / Math.max(1 - ground[at]!, 0.2)),
  );
  return { ...grey, values };
}

function stretchContrast(even: Grey): Grey {
  const threshold = findThreshold(even.values);
  const inked = even.values.filter((value) => value > threshold);
  const clear = even.values.filter((value) => value <= threshold);
  if (!inked.length || !clear.length) {
    throw refuse(even, "Nothing is drawn: the picture is of one colour.");
  }
  const paper = clear.filter((_, at) => at % 4 === 0);
  const [full, middle] = [median(inked), median(paper)];
  const noise = middle + 4 * median(paper.map((value) => Math.abs(value - middle)));
  if (full - noise < MIN_CONTRAST) {
    throw refuse(even, "Nothing is drawn: no part stands out from its surroundings.");
  }
  return { ...even, values: even.values.map((value) => clip((value - noise) / (full - noise))) };
}

/** As the digit service says it. */
function refuse({ width, height }: Grey, detail: string): Refusal {
  const allowed = "one digit, dark on light or light on dark";
  return new Refusal(detail, `a picture of ${width} × ${height} pixels`, allowed);
}

/** The threshold with the largest variance between the two sides (Otsu 1979). */
function findThreshold(values: Float32Array): number {
  const counts = new Float64Array(256);
  for (const value of values) counts[Math.min(255, Math.trunc(value * 256))]! += 1;
  const total = values.length;
  const sum = counts.reduce((all, count, bin) => all + (count * (bin + 0.5)) / 256, 0);
  let [below, sumBelow, best, threshold] = [0, 0, -1, 0];
  counts.forEach((count, bin) => {
    below += count;
    sumBelow += (count * (bin + 0.5)) / 256;
    const above = total - below;
    const gap = sumBelow / below - (sum - sumBelow) / above;
    const between = below && above ? below * above * gap ** 2 : 0;
    if (between > best) [best, threshold] = [between, (bin + 1) / 256];
  });
  return threshold;
}

function removeSpecks(ink: Grey): Grey {
  const { labels, parts } = findParts(ink, 0.25);
  const side = Math.max(ink.width, ink.height);
  let strokes = parts.filter(({ peak }) => peak >= MIN_PEAK_INK);
  const whole = strokes.filter(({ left, top, right, bottom }) => {
    return left > 0 && top > 0 && right < ink.width - 1 && bottom < ink.height - 1;
  });
  const largest = whole.reduce((a, b) => (b.size > a.size ? b : a), whole[0]!);
  if (largest) {
    const longer = 1 + Math.max(largest.right - largest.left, largest.bottom - largest.top);
    if (longer >= MIN_DIGIT_SIDE_SHARE * side) strokes = whole;
  }
  const most = Math.max(0, ...strokes.map(({ size }) => size));
  const kept = strokes.filter(({ size }) => size >= Math.max(1, MIN_STROKE_AREA_SHARE * most));
  const large = kept.filter(({ size }) => size >= MIN_DIGIT_AREA_SHARE * most);
  if (standApart(large)) throw refuse(ink, "More than one digit is seen.");
  const isKept = new Set(kept.map(({ label }) => label));
  const mask = new Float32Array(labels.length).map((_, at) => Number(isKept.has(labels[at]!)));
  const wide = dilate({ ...ink, values: mask }, 3); // soft edges are below the threshold
  return { ...ink, values: ink.values.map((value, at) => value * wide.values[at]!) };
}

/** Whether two of the strokes are of about one height, and beside each other or in a stack. */
function standApart(parts: Part[]): boolean {
  const ends = parts.map(({ left, top, right, bottom }) => [
    [top, bottom + 1],
    [left, right + 1],
  ]) as [[number, number], [number, number]][];
  const height = ([[top, bottom]]: (typeof ends)[number]) => bottom - top;
  const tallest = Math.max(...ends.map(height));
  const tall = ends.filter((part) => height(part) >= MIN_HEIGHT_SHARE * tallest);
  const isApart = ([start, end]: [number, number], [from, to]: [number, number]) =>
    Math.min(end, to) - Math.max(start, from) <= MAX_OVERLAP_SHARE * Math.min(end - start, to - from);
  const span = (axis: 0 | 1) =>
    Math.max(...tall.map((part) => part[axis][1])) - Math.min(...tall.map((part) => part[axis][0]));
  const areApart = (axis: 0 | 1) => tall.some((one) => tall.some((other) => isApart(one[axis], other[axis])));
  return areApart(1) || (areApart(0) && span(0) >= MIN_STACK_RATIO * span(1));
}

function crop(ink: Grey): Grey {
  let [top, bottom, left, right] = [ink.height, -1, ink.width, -1];
  ink.values.forEach((value, at) => {
    if (value <= 0.1) return;
    const [y, x] = [Math.trunc(at / ink.width), at % ink.width];
    [top, bottom] = [Math.min(top, y), Math.max(bottom, y)];
    [left, right] = [Math.min(left, x), Math.max(right, x)];
  });
  const [width, height] = [right - left + 1, bottom - top + 1];
  const values = new Float32Array(width * height);
  for (let y = 0; y < height; y++) {
    const from = (top + y) * ink.width + left;
    values.set(ink.values.subarray(from, from + width), y * width);
  }
  return { width, height, channels: 1, values };
}

/** Widen thin lines, which would be a faint grey once the digit is 20 pixels high. */
function thicken(digit: Grey): Grey {
  const side = Math.max(digit.width, digit.height);
  const isInk = (x: number, y: number) =>
    x >= 0 && y >= 0 && x < digit.width && y < digit.height && digit.values[y * digit.width + x]! > 0.5;
  const edge: [number, number][] = [];
  let area = 0;
  for (let y = 0; y < digit.height; y++) {
    for (let x = 0; x < digit.width; x++) {
      if (!isInk(x, y)) continue;
      area += 1;
      const inside = isInk(x - 1, y) && isInk(x + 1, y) && isInk(x, y - 1) && isInk(x, y + 1);
      if (!inside) edge.push([x, y]);
    }
  }
  const missing = (MIN_STROKE_WIDTH_SHARE * side - (2 * area) / Math.max(1, edge.length)) / 2;
  if (side <= 2 * BOX_PIXELS || missing <= 0) return digit;
  const room = Math.ceil(missing);
  const [width, height] = [digit.width + 2 * room, digit.height + 2 * room];
  const values = new Float32Array(width * height);
  digit.values.forEach((value, at) => {
    const [y, x] = [Math.trunc(at / digit.width), at % digit.width];
    const least = value > 0.5 ? clip(missing + 0.5) : 0;
    values[(y + room) * width + x + room] = Math.max(value, least);
  });
  // From the edge outwards, as far as the wider line reaches.
  const reached: [number, number][] = []; // the places around one of the edge, and their ink
  for (let dy = -room; dy <= room; dy++) {
    for (let dx = -room; dx <= room; dx++) {
      const ink = clip(missing + 0.5 - Math.hypot(dx, dy));
      if (ink) reached.push([dy * width + dx, Math.fround(ink)]);
    }
  }
  for (const [x, y] of edge) {
    const place = (y + room) * width + x + room;
    for (const [step, ink] of reached) {
      if (values[place + step]! < ink) values[place + step] = ink;
    }
  }
  return { width, height, channels: 1, values };
}

function scale(digit: Grey): Grey {
  const small = fit(digit, BOX_PIXELS, true);
  const values = small.values.map(clip);
  const most = values.reduce((a, b) => Math.max(a, b));
  return { ...small, values: values.map((value) => value / most) };
}

/** The centre of mass in the middle of the picture. */
function centre({ width, height, values }: Grey): Float32Array {
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

/** With a longer side of that many pixels; smaller ones stay unless to be enlarged. */
function fit(picture: Grey, longer: number, enlarge = false): Grey {
  const factor = longer / Math.max(picture.width, picture.height);
  if (factor >= 1 && !enlarge) return picture;
  const [width, height] = [roundSide(picture.width * factor), roundSide(picture.height * factor)];
  return resize(picture, width, height, factor > 1 ? BICUBIC : BOX);
}

function roundSide(side: number): number {
  return Math.max(1, roundHalfToEven(side));
}

/** As Python rounds. */
function roundHalfToEven(value: number): number {
  return Math.abs(value % 1) === 0.5 ? 2 * Math.round(value / 2) : Math.round(value);
}

function clip(value: number): number {
  return Math.min(1, Math.max(0, value));
}
