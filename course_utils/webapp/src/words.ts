// Numbers and names as people read them.

/** "Egyptian_cat" is "Egyptian cat". */
export function human(name: string): string {
  return name.replaceAll("_", " ");
}

const percentages = new Intl.NumberFormat("en", {
  style: "percent",
  minimumFractionDigits: 1,
  maximumFractionDigits: 1,
});

/** 0.9534 is "95.3%"; only nothing is "0.0%", and only certainty "100.0%". */
export function percent(share: number): string {
  if (share > 0 && share < 0.0005) return "<0.1%";
  if (share < 1 && share >= 0.9995) return ">99.9%";
  return percentages.format(share);
}

export function count(number: number, noun: string, nouns = `${noun}s`): string {
  return `${number.toLocaleString("en")} ${number === 1 ? noun : nouns}`;
}
