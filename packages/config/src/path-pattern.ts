/** What one place of a pattern matches: one character of these, or any number of any characters. */
type Place = ((character: string) => boolean) | typeof ANY;

const ANY = Symbol("*");

/**
 * Whether a path is one that a pattern stands for: `*` any characters but the slash, `?` one, `[a-z]` one of these and
 * `[!a-z]` or `[^a-z]` one of the others (no slash either); a backslash takes its meaning from the next character.
 * As glob(7), which upstream's lists are, but that `*` and `?` match a leading dot as well (Go's path/filepath.Match).
 * @param path a plain one, see {@link isPlainPath}
 */
export function matchesPathPattern(path: string, pattern: string): boolean {
  const parts = path.split("/");
  const patterns = pattern.split("/");
  return parts.length === patterns.length && patterns.every((each, at) => matchesPart(parts[at] ?? "", each));
}

/** What is wrong with a pattern, in words that follow it; undefined: nothing. */
export function pathPatternObstacle(pattern: string): string | undefined {
  if (!pattern.startsWith("/")) return "is not absolute";
  if (pattern.split("/").every((part) => placesOf(part) !== undefined)) return undefined;
  return "has a bracket or a backslash without its end";
}

/** What {@link isPlainPath} is true of, in words that follow "must be". */
export const PLAIN_PATH = 'a plain absolute path (no empty part, no "." or "..", no control character)';

/** An absolute path that is what it looks like: patterns would match "." and ".." as names. */
export function isPlainPath(path: string): boolean {
  const [first, ...parts] = path.split("/");
  const plain = (part: string) => !["", ".", ".."].includes(part) && !/\p{Cc}/u.test(part);
  return first === "" && parts.length > 0 && parts.every(plain);
}

/** Follows the pattern; where it fails, the last `*` takes one character more. */
function matchesPart(part: string, pattern: string): boolean {
  const places = placesOf(pattern);
  if (places === undefined) return false;
  const characters = [...part];
  let [at, place] = [0, 0];
  let star: { readonly place: number; readonly at: number } | undefined;
  while (at < characters.length) {
    const wanted = places[place];
    if (wanted === ANY) {
      star = { place, at };
      place++;
    } else if (wanted?.(characters[at] ?? "")) {
      at++;
      place++;
    } else if (star !== undefined) {
      star = { place: star.place, at: star.at + 1 };
      at = star.at;
      place = star.place + 1;
    } else return false;
  }
  return places.slice(place).every((rest) => rest === ANY);
}

/** undefined: the part is no pattern. */
function placesOf(part: string): Place[] | undefined {
  const places: Place[] = [];
  const characters = [...part];
  for (let at = 0; at < characters.length; at++) {
    const character = characters[at] ?? "";
    if (character === "*") places.push(ANY);
    else if (character === "?") places.push(() => true);
    else if (character === "[") {
      // The first member may be a bracket itself.
      const end = characters.indexOf("]", at + (/[!^]/.test(characters[at + 1] ?? "") ? 3 : 2));
      if (end < 0) return undefined;
      places.push(setOf(characters.slice(at + 1, end)));
      at = end;
    } else {
      const literal = character === "\\" ? characters[++at] : character;
      if (literal === undefined) return undefined;
      places.push((each) => each === literal);
    }
  }
  return places;
}

/** What stands between brackets: single characters, and ranges of them. */
function setOf(members: readonly string[]): Place {
  const negated = members[0] === "!" || members[0] === "^";
  const ranges: (readonly [string, string])[] = [];
  for (let at = negated ? 1 : 0; at < members.length; at++) {
    const from = members[at] ?? "";
    const to = members[at + 1] === "-" ? members[at + 2] : undefined;
    ranges.push([from, to ?? from]);
    if (to !== undefined) at += 2;
  }
  const among = (each: string) => ranges.some(([from, to]) => from <= each && each <= to);
  return negated ? (each) => !among(each) : among;
}
