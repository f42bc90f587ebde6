import { parse as parseToml, TomlError } from "smol-toml";
import type { Key, Refusal } from "./key.ts";
import { keyLines, keyPath } from "./key-lines.ts";
import { nearest } from "./nearest.ts";
import { foreignTables, refusedTables } from "./table/foreign.ts";
import { type SectionName, sectionNames, table } from "./table.ts";

type TomlTable = { readonly [name: string]: unknown };

/** What one file says: the checked values of the keys that it has, and all that is wrong with it. */
export interface Layer {
  readonly path: string;
  readonly values: { readonly [S in SectionName]: Readonly<Record<string, unknown>> };
  /** One line each: file, line, key, what is right. */
  readonly problems: readonly string[];
  /** "FILE:LINE" of a key that it has. */
  place(section: SectionName, key: string): string;
}

/** The keys of one table as the file may give them. */
interface KnownTable {
  /** As written: "hypervisor.qemu". */
  readonly name: string;
  readonly keys: Readonly<Record<string, Key<unknown>>>;
  readonly refused: Readonly<Record<string, Refusal>>;
}

/** Reads the text of one file. @param path names it in problems */
export function readLayer(source: string, path: string): Layer {
  return new LayerReader(source, path).read();
}

class LayerReader {
  readonly #source: string;
  readonly #path: string;
  readonly #problems: string[] = [];
  #lines: ReadonlyMap<string, number> | undefined;

  constructor(source: string, path: string) {
    this.#source = source;
    this.#path = path;
  }

  read(): Layer {
    const tables = this.#tables();
    const valuesOf = (section: SectionName) => this.#values(table[section], tables.get(table[section].name));
    const values = {
      hypervisor: valuesOf("hypervisor"),
      factory: valuesOf("factory"),
      agent: valuesOf("agent"),
      runtime: valuesOf("runtime"),
    };
    for (const [name, refused] of Object.entries(foreignTables)) {
      this.#values({ name, keys: {}, refused }, tables.get(name));
    }
    return {
      path: this.#path,
      values,
      problems: this.#problems,
      place: (section, key) => this.#place([...table[section].name.split("."), key]),
    };
  }

  /** Nested tables as one map by their written names; those we do not know are problems. */
  #tables(): ReadonlyMap<string, TomlTable> {
    const found = new Map<string, TomlTable>();
    const visit = (node: TomlTable, parents: readonly string[]): void => {
      for (const [part, value] of Object.entries(node)) {
        const parts = [...parents, part];
        const name = parts.join(".");
        if (!isTable(value)) this.#problem(parts, `key "${name}" stands outside of every known table`);
        else if (tableNames.includes(name)) found.set(name, value);
        else if (Object.hasOwn(refusedTables, name))
          this.#problem(parts, `table [${name}] is not supported: ${refusedTables[name]}`);
        else if (tableNames.some((known) => known.startsWith(`${name}.`))) visit(value, parts);
        else
          this.#problem(
            parts,
            `unknown table [${name}]${suggestion(name, tableNames, (near) => `[${near}]`)}`,
          );
      }
    };
    visit(this.#toml(), []);
    return found;
  }

  #toml(): TomlTable {
    try {
      return parseToml(this.#source);
    } catch (error) {
      if (!(error instanceof TomlError)) throw error;
      const reason = error.message.split("\n")[0]?.replace(/^Invalid TOML document: /, "") ?? "not TOML";
      this.#problems.push(`${this.#path}:${error.line}:${error.column}: not TOML: ${reason}`);
      return {};
    }
  }

  #values(known: KnownTable, given: TomlTable = {}): Readonly<Record<string, unknown>> {
    const values: Record<string, unknown> = {};
    for (const [name, value] of Object.entries(given)) {
      const parts = [...known.name.split("."), name];
      const key = own(known.keys, name);
      const refusal = own(known.refused, name);
      if (key === undefined) {
        const problem =
          refusal === undefined ? unknownKey(name, known) : refusedKey(name, value, refusal, known);
        if (problem !== undefined) this.#problem(parts, problem);
        continue;
      }
      const checked = key.check(value);
      if ("value" in checked) values[name] = checked.value;
      else this.#problem(parts, `[${known.name}] ${name} must be ${checked.mustBe}, not ${describe(value)}`);
    }
    return values;
  }

  #problem(parts: readonly string[], text: string): void {
    this.#problems.push(`${this.#place(parts)}: ${text}`);
  }

  #place(parts: readonly string[]): string {
    this.#lines ??= keyLines(this.#source);
    const line = this.#lines.get(keyPath(...parts));
    return line === undefined ? this.#path : `${this.#path}:${line}`;
  }
}

const tableNames: readonly string[] = [
  ...sectionNames.map((section) => table[section].name),
  ...Object.keys(foreignTables),
];

function refusedKey(name: string, value: unknown, { reason, same }: Refusal, { name: inTable }: KnownTable) {
  const text = JSON.stringify(value);
  if (same.some((each) => JSON.stringify(each) === text)) return undefined;
  const remedy = same.map((each) => `, or set it to ${JSON.stringify(each)}`).join("");
  return `key "${name}" of [${inTable}] is not supported: ${reason} (remove it${remedy})`;
}

function unknownKey(name: string, { name: inTable, keys, refused }: KnownTable): string {
  const elsewhere = sectionNames.find((section) => Object.hasOwn(table[section].keys, name));
  const names = Object.keys(keys);
  const hint =
    elsewhere === undefined
      ? // What we have is the better guess; a misspelt key that we refuse should be told as what it is, too.
        suggestion(
          name,
          nearest(name, names) === undefined ? [...names, ...Object.keys(refused)] : names,
          quoted,
          names,
        )
      : ` (it belongs into [${table[elsewhere].name}])`;
  return `unknown key "${name}" in [${inTable}]${hint}`;
}

const quoted = (name: string): string => `"${name}"`;

/** @param listed what is listed when nothing is near */
function suggestion(
  given: string,
  names: readonly string[],
  show: (near: string) => string,
  listed: readonly string[] = names,
): string {
  const near = nearest(given, names);
  if (near !== undefined) return ` (did you mean ${show(near)}?)`;
  return listed.length === 0 ? "" : ` (known: ${listed.map(show).join(", ")})`;
}

function own<T>(record: Readonly<Record<string, T>>, name: string): T | undefined {
  return Object.hasOwn(record, name) ? record[name] : undefined;
}

function describe(value: unknown): string {
  return isTable(value) ? "a table" : JSON.stringify(value);
}

function isTable(value: unknown): value is TomlTable {
  return typeof value === "object" && value !== null && !Array.isArray(value) && !(value instanceof Date);
}
