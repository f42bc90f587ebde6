/** Numbers by name, from a table of syscalls.gen.ts. */
export function parseTable(encoded: string): Map<string, number> {
  const numbers = new Map<string, number>();
  let next = 0;
  for (const word of encoded.split(" ")) {
    if (word > ":") {
      numbers.set(word, next);
      next += 1;
    } else {
      next = Number(word); // digits stand before ":"
    }
  }
  return numbers;
}
