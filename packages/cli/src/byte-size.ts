const UNITS = ["", "k", "m", "g", "t", "p"];

/** A size as docker writes it: "512m", "1.5g", "4096", "-1" (no limit), in powers of 1024. @returns bytes; undefined when it is none */
export function parseByteSize(text: string): number | undefined {
  if (text === "-1") return -1;
  const [, number = "", unit = ""] = /^(\d+(?:\.\d+)?) ?([kmgtp]?)(?:i?b)?$/i.exec(text) ?? [];
  if (number === "") return undefined;
  const bytes = Math.floor(Number(number) * 1024 ** UNITS.indexOf(unit.toLowerCase()));
  return Number.isSafeInteger(bytes) ? bytes : undefined;
}
