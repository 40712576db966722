// Resizing as Pillow does it (src/libImaging/Resample.c), equal to the last bit: first one
// direction, then the other; whole numbers in 22 bits of fixed point and rounded in between.

interface Filter {
  support: number;
  weigh: (distance: number) => number;
}

export const BOX: Filter = { support: 0.5, weigh: (x) => (x > -0.5 && x <= 0.5 ? 1 : 0) };
export const BILINEAR: Filter = { support: 1, weigh: (x) => Math.max(0, 1 - Math.abs(x)) };
export const BICUBIC: Filter = {
  support: 2,
  weigh(distance) {
    const [x, a] = [Math.abs(distance), -0.5];
    if (x < 1) return ((a + 2) * x - (a + 3)) * x * x + 1;
    return x < 2 ? (((x - 5) * x + 8) * x - 4) * a : 0;
  },
};

const FIXED_POINT = 1 << 22;

type Values = Uint8ClampedArray<ArrayBuffer> | Float32Array<ArrayBuffer>;

/** A picture: rows of pixels, each of as many values as it has channels. */
export interface Picture<T extends Values = Values> {
  width: number;
  height: number;
  channels: number;
  values: T;
}

/** The picture in another size; proportions are not kept. */
export function resize<T extends Values>(
  picture: Picture<T>,
  width: number,
  height: number,
  filter: Filter,
): Picture<T> {
  const across = (it: Picture<T>) => (it.width === width ? it : scale(it, "width", width, filter));
  const down = (it: Picture<T>) => (it.height === height ? it : scale(it, "height", height, filter));
  const [spareHeight, spareWidth] = [picture.height - height, picture.width - width];
  // Since Pillow 13; before, the rows always came first.
  const downFirst = spareHeight > 0 && spareHeight > 2 * spareWidth;
  return downFirst ? across(down(picture)) : down(across(picture));
}

function scale<T extends Values>(
  picture: Picture<T>,
  side: "width" | "height",
  to: number,
  filter: Filter,
): Picture<T> {
  const { width, height, channels, values } = picture;
  const isWhole = values instanceof Uint8ClampedArray;
  const result = { ...picture, [side]: to };
  const target = new (values.constructor as new (length: number) => T)(
    result.width * result.height * channels,
  );
  // From one value to the next along the side that is scaled, and from one line of these to the next.
  const across = side === "width";
  const [step, line] = across ? [channels, width * channels] : [width * channels, channels];
  const [toStep, toLine] = across ? [channels, to * channels] : [width * channels, channels];
  const neighbours = Array.from({ length: to }, (_, at) =>
    weighNeighbours(at, picture[side], to, filter, isWhole),
  );
  const combine = isWhole ? sumWhole : sum;
  const passOver = (number: number, at: number) => {
    const { first, weights } = neighbours[at]!;
    for (let channel = 0; channel < channels; channel++) {
      const from = number * line + first * step + channel;
      target[number * toLine + at * toStep + channel] = combine(values, from, step, weights);
    }
  };
  // Row after row, as the values lie in memory.
  if (across) {
    for (let y = 0; y < height; y++) for (let at = 0; at < to; at++) passOver(y, at);
  } else {
    for (let at = 0; at < to; at++) for (let x = 0; x < width; x++) passOver(x, at);
  }
  return { ...result, values: target };
}

type Weights = Int32Array | Float64Array;

function sum(values: Values, from: number, step: number, weights: Weights): number {
  let total = 0;
  for (let at = 0; at < weights.length; at++, from += step) total += values[from]! * weights[at]!;
  return total;
}

/** In whole numbers, which the browser adds faster. */
function sumWhole(values: Values, from: number, step: number, weights: Weights): number {
  let total = FIXED_POINT / 2;
  for (let at = 0; at < weights.length; at++, from += step) {
    total = (total + Math.imul(values[from]!, weights[at]!)) | 0;
  }
  return total >> 22;
}

/** The first neighbour of a value of the result, and the weights of it and those after it. */
function weighNeighbours(at: number, count: number, to: number, filter: Filter, isWhole: boolean) {
  const factor = count / to;
  const stretch = Math.max(factor, 1);
  const reach = filter.support * stretch;
  const centre = (at + 0.5) * factor;
  const first = Math.max(0, Math.trunc(centre - reach + 0.5));
  const end = Math.min(count, Math.trunc(centre + reach + 0.5));
  const weights = Float64Array.from({ length: end - first }, (_, index) =>
    filter.weigh((first + index - centre + 0.5) * (1 / stretch)),
  );
  const total = weights.reduce((all, weight) => all + weight, 0);
  const round = (weight: number) =>
    weight < 0 ? Math.trunc(weight * FIXED_POINT - 0.5) : Math.trunc(weight * FIXED_POINT + 0.5);
  if (!isWhole) return { first, weights: weights.map((it) => it / total) };
  return { first, weights: Int32Array.from(weights, (it) => round(it / total)) };
}
