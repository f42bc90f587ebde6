import { KataError } from "@kata-containers/sys";
import type { Value, Variant } from "./dbus/value.ts";

/** Types that a value may be preceded by (GLib, "GVariant Text Format", "Type Annotations"). */
const KEYWORDS: Readonly<Record<string, string>> = {
  boolean: "b",
  byte: "y",
  int16: "n",
  uint16: "q",
  int32: "i",
  uint32: "u",
  int64: "x",
  uint64: "t",
  double: "d",
  string: "s",
  objectpath: "o",
  signature: "g",
};
const INTEGERS: readonly string[] = ["y", "n", "q", "i", "u", "x", "t"];
const STRINGS: readonly string[] = ["s", "o", "g"];

/** With a leading 0 it is octal, as in C. */
const INTEGER = /^([+-]?)(0x[0-9a-f]+|0[0-7]*|[1-9]\d*)$/i;
const DOUBLE = /^[+-]?(\d+\.\d*|\.\d+|\d+(?=e))(e[+-]?\d+)?$/i;

/** The next thing in a text: a word or number, a string, or one of the brackets and the comma. */
const TOKEN = /\s*(?:([A-Za-z0-9@+.-]+)|('(?:[^'\\]|\\.)*'|"(?:[^"\\]|\\.)*")|([[\],]))/y;

/**
 * Reads a value as people write it for systemd's properties, with runc too: `true`, `7`, `uint64 10000000`, `'text'`, `['a', 'b']`,
 * `@as []`. Numbers without a type are int32. No tuples, dictionaries and variants.
 * @throws KataError InvalidArgument
 */
export function parseVariant(text: string): Variant {
  const tokens = tokensOf(text);
  const wanted = takeType(tokens);
  const variant = takeValue(tokens, wanted);
  if (tokens.length > 0) throw wrong(tokens.join(" "));
  return variant;
}

function tokensOf(text: string): string[] {
  const tokens: string[] = [];
  const pattern = new RegExp(TOKEN);
  const trimmed = text.trimEnd();
  while (pattern.lastIndex < trimmed.length) {
    const at = pattern.lastIndex;
    const [whole] = pattern.exec(trimmed) ?? [];
    if (whole === undefined) throw wrong(trimmed.slice(at));
    tokens.push(whole.trimStart());
  }
  return tokens;
}

/** @returns the type that is written before a value, if one is */
function takeType(tokens: string[]): string | undefined {
  const [first = ""] = tokens;
  const keyword = Object.hasOwn(KEYWORDS, first) ? KEYWORDS[first] : undefined;
  const type = keyword ?? (/^@a?[bynqiuxtdsog]$/.test(first) ? first.slice(1) : undefined);
  if (type !== undefined) tokens.shift();
  return type;
}

function takeValue(tokens: string[], wanted: string | undefined): Variant {
  const first = tokens.shift();
  if (first !== "[") return basic(first, wanted);
  if (wanted !== undefined && !wanted.startsWith("a")) throw wrong("[");
  let of = wanted?.slice(1);
  const values: Value[] = [];
  while (tokens[0] !== "]") {
    if (values.length > 0 && tokens.shift() !== ",") throw wrong("an array without commas");
    const { type, value } = basic(tokens.shift(), of);
    of = type;
    values.push(value);
  }
  tokens.shift();
  if (of === undefined) throw wrong("[]: of what? (@as [])");
  return { type: `a${of}`, value: values };
}

function basic(token: string | undefined, wanted: string | undefined): Variant {
  if (token === undefined) throw wrong("it ends too early");
  const type = wanted ?? typeOf(token);
  const value = type === undefined ? undefined : readAs(token, type);
  if (type === undefined || value === undefined) throw wrong(token);
  return { type, value };
}

function typeOf(token: string): string | undefined {
  if (token === "true" || token === "false") return "b";
  if (/^['"]/.test(token)) return "s";
  if (INTEGER.test(token)) return "i";
  return DOUBLE.test(token) ? "d" : undefined;
}

/** @returns undefined when it is none of that type */
function readAs(token: string, type: string): Value | undefined {
  if (type === "b") return token === "true" ? true : token === "false" ? false : undefined;
  if (STRINGS.includes(type)) return /^['"]/.test(token) ? unescaped(token.slice(1, -1)) : undefined;
  if (type === "d") return DOUBLE.test(token) || INTEGER.test(token) ? Number(token) : undefined;
  return INTEGERS.includes(type) ? integer(token, type) : undefined;
}

function integer(token: string, type: string): number | bigint | undefined {
  const [, sign, digits = ""] = INTEGER.exec(token) ?? [];
  if (digits === "") return undefined;
  const magnitude = BigInt(/^0\d/.test(digits) ? `0o${digits}` : digits);
  const value = sign === "-" ? -magnitude : magnitude;
  return type === "x" || type === "t" ? value : Number(value);
}

const ESCAPES: Readonly<Record<string, string>> = {
  a: "\x07",
  b: "\b",
  f: "\f",
  n: "\n",
  r: "\r",
  t: "\t",
  v: "\v",
};

function unescaped(text: string): string {
  return text.replaceAll(/\\(u[0-9a-fA-F]{4}|.)/g, (_, code: string) =>
    code.length > 1 ? String.fromCharCode(Number.parseInt(code.slice(1), 16)) : (ESCAPES[code] ?? code),
  );
}

const wrong = (what: string) =>
  new KataError("InvalidArgument", `${JSON.stringify(what.trim())} is no value of systemd's`);
