// Numbers and names as people read them.

export { percent } from "./shared/classes";

/** "Egyptian_cat" is "Egyptian cat". */
export function human(name: string): string {
  return name.replaceAll("_", " ");
}

export function count(number: number, noun: string, nouns = `${noun}s`): string {
  return `${number.toLocaleString("en")} ${number === 1 ? noun : nouns}`;
}
