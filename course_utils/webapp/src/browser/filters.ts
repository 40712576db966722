// Filters of a grey picture, with the numbers that `scipy.ndimage` gives.

import type { Picture } from "./resize";

export type Grey = Picture<Float32Array<ArrayBuffer>>;

/** A connected part of a picture, its box with both ends included. */
export interface Part {
  label: number;
  size: number;
  peak: number;
  left: number;
  top: number;
  right: number;
  bottom: number;
}

/** A Gaussian of 4 standard deviations each way; beyond the margin the picture is mirrored. */
export function blur(picture: Grey, sigma: number): Grey {
  const reach = Math.trunc(4 * sigma + 0.5);
  const weights = Array.from({ length: 2 * reach + 1 }, (_, at) =>
    Math.exp((-0.5 * (at - reach) ** 2) / sigma ** 2),
  );
  const sum = weights.reduce((a, b) => a + b, 0);
  const kernel = weights.map((weight) => weight / sum);
  const weigh = (line: Float32Array) => {
    const padded = mirror(line, reach);
    const result = new Float32Array(line.length);
    for (let at = 0; at < line.length; at++) {
      let total = 0;
      for (let index = 0; index < kernel.length; index++) total += padded[at + index]! * kernel[index]!;
      result[at] = total;
    }
    return result;
  };
  return eachLine(eachLine(picture, "down", weigh), "across", weigh);
}

/** A picture without what is lighter and narrower than a square window (a morphological opening). */
export function open(picture: Grey, window: number): Grey {
  // Its own pixels go on beyond the margin, so that light which grows towards it stays.
  const { width, height, values } = picture;
  const [wide, high] = [width + 2 * window, height + 2 * window];
  const padded = new Float32Array(wide * high).map((_, at) => {
    const [y, x] = [Math.trunc(at / wide) - window, (at % wide) - window];
    return values[clamp(y, height) * width + clamp(x, width)]!;
  });
  const around = { ...picture, width: wide, height: high, values: padded };
  const opened = dilate(slide(around, window, Math.min), window);
  return {
    ...picture,
    values: values.map((_, at) => {
      const [y, x] = [Math.trunc(at / width) + window, (at % width) + window];
      return opened.values[y * wide + x]!;
    }),
  };
}

/** The largest value in a square window around each. */
export function dilate(picture: Grey, window: number): Grey {
  return slide(picture, window, Math.max);
}

/** The median in a square window around each; its own pixels go on beyond the margin. */
export function medianFilter(picture: Grey, window: number): Grey {
  const { width, height, values } = picture;
  const reach = (window - 1) / 2;
  const found = values.map((_, at) => {
    const [y, x] = [Math.trunc(at / width), at % width];
    const around = new Float32Array(window * window);
    for (let index = 0; index < around.length; index++) {
      const row = clamp(y - reach + Math.trunc(index / window), height);
      around[index] = values[row * width + clamp(x - reach + (index % window), width)]!;
    }
    return median(around);
  });
  return { ...picture, values: found };
}

export function median(values: Float32Array): number {
  const sorted = values.slice().sort();
  const half = sorted.length / 2;
  return (sorted[Math.ceil(half) - 1]! + sorted[Math.floor(half)]!) / 2;
}

/** The parts above a threshold that hang together, also at corners; label 0 is what is below. */
export function findParts({ width, height, values }: Grey, threshold: number) {
  const labels = new Int32Array(width * height);
  const parts: Part[] = [];
  for (let start = 0; start < values.length; start++) {
    if (labels[start] || values[start]! <= threshold) continue;
    const label = parts.length + 1;
    const part = { label, size: 0, peak: 0, left: width, top: height, right: 0, bottom: 0 };
    const waiting = [start];
    labels[start] = label;
    for (let at = waiting.pop(); at !== undefined; at = waiting.pop()) {
      const [y, x] = [Math.trunc(at / width), at % width];
      part.size += 1;
      part.peak = Math.max(part.peak, values[at]!);
      [part.left, part.right] = [Math.min(part.left, x), Math.max(part.right, x)];
      [part.top, part.bottom] = [Math.min(part.top, y), Math.max(part.bottom, y)];
      for (let row = Math.max(0, y - 1); row <= Math.min(height - 1, y + 1); row++) {
        for (let column = Math.max(0, x - 1); column <= Math.min(width - 1, x + 1); column++) {
          const next = row * width + column;
          if (labels[next] || values[next]! <= threshold) continue;
          labels[next] = label;
          waiting.push(next);
        }
      }
    }
    parts.push(part);
  }
  return { labels, parts };
}

function eachLine(
  picture: Grey,
  way: "across" | "down",
  filter: (line: Float32Array) => Float32Array,
): Grey {
  const { width, height, values } = picture;
  const [lines, length, line, step] =
    way === "across" ? [height, width, width, 1] : [width, height, 1, width];
  const result = new Float32Array(values.length);
  const from = new Float32Array(length);
  for (let number = 0; number < lines; number++) {
    const start = number * line;
    for (let at = 0; at < length; at++) from[at] = values[start + at * step]!;
    const found = filter(from);
    for (let at = 0; at < length; at++) result[start + at * step] = found[at]!;
  }
  return { ...picture, values: result };
}

/** In a square window around each, the value that is chosen of all: the least, or the largest. */
function slide(
  picture: Grey,
  window: number,
  choose: (a: number, b: number) => number,
): Grey {
  const reach = (window - 1) / 2;
  const along = (line: Float32Array) => {
    const result = new Float32Array(line.length);
    // The places in the window that may still be chosen, the first of them now.
    const places = new Int32Array(line.length);
    let [first, last] = [0, -1];
    for (let next = 0; next < line.length + reach; next++) {
      if (next < line.length) {
        const value = line[next]!;
        while (last >= first && choose(line[places[last]!]!, value) === value) last -= 1;
        places[(last += 1)] = next;
      }
      const at = next - reach;
      if (at < 0) continue;
      if (places[first]! < at - reach) first += 1;
      result[at] = line[places[first]!]!;
    }
    return result;
  };
  return eachLine(eachLine(picture, "down", along), "across", along);
}

/** The line with as much of its mirror image before and after it: c b a | a b c | c b a. */
function mirror(line: Float32Array, reach: number): Float32Array {
  const period = 2 * line.length;
  const padded = new Float32Array(line.length + 2 * reach);
  for (let index = 0; index < padded.length; index++) {
    const at = (((index - reach) % period) + period) % period;
    padded[index] = line[at < line.length ? at : period - 1 - at]!;
  }
  return padded;
}

function clamp(at: number, length: number): number {
  return Math.min(length - 1, Math.max(0, at));
}
