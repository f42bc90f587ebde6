import { KataError } from "@kata-containers/sys";
import { parse as parseToml, TomlError } from "smol-toml";
import type { Key } from "./key.ts";
import { nearest } from "./nearest.ts";
import { type KataConfig, type SectionName, table } from "./table.ts";

type Keys = Readonly<Record<string, Key<unknown>>>;
type TomlTable = { readonly [name: string]: unknown };

/**
 * Reads the text of a configuration file.
 * @param path names the file in errors
 * @throws KataError InvalidArgument: no TOML, an unknown table or key (with the nearest known one), a wrong value
 */
export function parseConfig(source: string, path: string): KataConfig {
  const sections = flattenTables(readToml(source, path), path);
  const config = {
    path,
    hypervisor: readSection("hypervisor", sections, path),
    agent: readSection("agent", sections, path),
    runtime: readSection("runtime", sections, path),
  };
  return Object.freeze(config);
}

function readToml(source: string, path: string): TomlTable {
  try {
    return parseToml(source);
  } catch (error) {
    if (!(error instanceof TomlError)) throw error;
    const reason = error.message.split("\n")[0]?.replace(/^Invalid TOML document: /, "") ?? "not TOML";
    throw invalid(`${path}:${error.line}:${error.column}: not TOML: ${reason}`);
  }
}

/** Turns nested tables into one map by their written names ("hypervisor.qemu"), and refuses those we do not know. */
function flattenTables(root: TomlTable, path: string): ReadonlyMap<string, TomlTable> {
  const known = Object.values(table).map((section) => section.name);
  const sections = new Map<string, TomlTable>();
  const visit = (node: TomlTable, prefix: string) => {
    for (const [name, value] of Object.entries(node)) {
      const written = prefix === "" ? name : `${prefix}.${name}`;
      if (!isTable(value)) throw invalid(`${path}: key "${written}" stands outside of every known table`);
      if (known.some((section) => section === written)) sections.set(written, value);
      else if (known.some((section) => section.startsWith(`${written}.`))) visit(value, written);
      else
        throw invalid(
          `${path}: unknown table [${written}]${suggestion(written, known, (near) => `[${near}]`)}`,
        );
    }
  };
  visit(root, "");
  return sections;
}

function readSection<S extends SectionName>(
  section: S,
  sections: ReadonlyMap<string, TomlTable>,
  path: string,
): KataConfig[S] {
  const { name, keys } = table[section];
  const given = sections.get(name) ?? {};
  const names = Object.keys(keys);
  for (const key of Object.keys(given)) {
    if (names.includes(key)) continue;
    throw invalid(
      `${path}: unknown key "${key}" in [${name}]${suggestion(key, names, (near) => `"${near}"`)}`,
    );
  }
  return checkValues(keys, given, (key, mustBe, value) =>
    invalid(`${path}: [${name}] ${key} must be ${mustBe}, not ${describe(value)}`),
  );
}

/** Checks what is given and fills in the defaults. The result has a value of the right type for every key of `keys`. */
function checkValues<R>(
  keys: Keys,
  given: TomlTable,
  refuse: (key: string, mustBe: string, value: unknown) => KataError,
): R {
  const values: Record<string, unknown> = {};
  for (const [name, key] of Object.entries(keys)) {
    const value = given[name];
    if (value === undefined) {
      values[name] = key.default;
      continue;
    }
    const checked = key.check(value);
    if ("mustBe" in checked) throw refuse(name, checked.mustBe, value);
    values[name] = checked.value;
  }
  // The loop above is what makes this true: one checked value for each key of the table that R is computed from.
  return Object.freeze(values) as R;
}

function suggestion(given: string, names: readonly string[], show: (near: string) => string): string {
  const near = nearest(given, names);
  return near === undefined ? ` (known: ${names.map(show).join(", ")})` : ` (did you mean ${show(near)}?)`;
}

function describe(value: unknown): string {
  return isTable(value) ? "a table" : JSON.stringify(value);
}

function isTable(value: unknown): value is TomlTable {
  return typeof value === "object" && value !== null && !Array.isArray(value) && !(value instanceof Date);
}

function invalid(message: string): KataError {
  return new KataError("InvalidArgument", message);
}
