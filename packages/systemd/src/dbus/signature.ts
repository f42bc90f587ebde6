import { KataError } from "@kata-containers/sys";

/** A single complete type (D-Bus Specification, "Type System"). */
export type Type =
  | { readonly code: Basic | "v" }
  | { readonly code: "a"; readonly of: Type }
  | { readonly code: "(" | "{"; readonly fields: readonly Type[] };

export type Basic = "y" | "b" | "n" | "q" | "i" | "u" | "x" | "t" | "d" | "s" | "o" | "g";

const BASIC = "ybnqiuxtdsog";
const MAX_LENGTH = 255;
const MAX_DEPTH = 64;

/** @throws KataError InvalidArgument: not a signature, longer than 255 characters, or deeper than 64 containers. */
export function parseSignature(signature: string): Type[] {
  if (signature.length > MAX_LENGTH) throw invalid(signature);
  const reader = { text: signature, at: 0 };
  const types: Type[] = [];
  while (reader.at < signature.length) types.push(parseType(reader, 0));
  return types;
}

type Reader = { readonly text: string; at: number };

function parseType(reader: Reader, depth: number): Type {
  const code = reader.text[reader.at++];
  if (code === undefined || depth > MAX_DEPTH) throw invalid(reader.text);
  if (isBasic(code) || code === "v") return { code };
  if (code === "(") return { code, fields: parseFields(reader, ")", depth) };
  if (code !== "a") throw invalid(reader.text);
  if (reader.text[reader.at] !== "{") return { code, of: parseType(reader, depth + 1) };
  reader.at++;
  const fields = parseFields(reader, "}", depth + 1);
  const [key] = fields;
  if (fields.length !== 2 || key === undefined || !isBasic(key.code)) throw invalid(reader.text);
  return { code, of: { code: "{", fields } };
}

function parseFields(reader: Reader, end: ")" | "}", depth: number): Type[] {
  const fields: Type[] = [];
  while (reader.text[reader.at] !== end) fields.push(parseType(reader, depth + 1));
  reader.at++;
  if (fields.length === 0) throw invalid(reader.text);
  return fields;
}

function isBasic(code: string): code is Basic {
  return BASIC.includes(code);
}

function invalid(signature: string): KataError {
  return new KataError("InvalidArgument", `D-Bus: ${JSON.stringify(signature)} is not a signature`);
}

/** Bytes that a value of the type starts on a multiple of. */
export function alignmentOf(code: Type["code"]): 1 | 2 | 4 | 8 {
  if ("ygv".includes(code)) return 1;
  if ("nq".includes(code)) return 2;
  return "xtd({".includes(code) ? 8 : 4;
}
