/** What a document holds: no empty value, no array of tables. */
export type TomlValue =
  | string
  | number
  | boolean
  | readonly string[]
  | { readonly [name: string]: TomlValue };

/** Prints a table as TOML, tables in it after its values. */
export function renderToml(
  table: { readonly [name: string]: TomlValue },
  parents: readonly string[] = [],
): string {
  const entries = Object.entries(table);
  const values = entries.flatMap(([name, value]) =>
    isTable(value) ? [] : [`${name} = ${renderValue(value)}\n`],
  );
  const tables = entries.flatMap(([name, value]) =>
    isTable(value) ? [renderToml(value, [...parents, name])] : [],
  );
  const header = parents.length > 0 && values.length > 0 ? `[${parents.join(".")}]\n` : "";
  return [`${header}${values.join("")}`, ...tables].filter((part) => part !== "").join("\n");
}

/** TOML's basic strings and JSON's have the same escapes, but for DEL. */
function renderValue(value: string | number | boolean | readonly string[]): string {
  if (typeof value === "string") return JSON.stringify(value).replaceAll("\x7f", "\\u007F");
  if (typeof value === "object") return `[${value.map(renderValue).join(", ")}]`;
  return String(value);
}

function isTable(value: TomlValue): value is { readonly [name: string]: TomlValue } {
  return typeof value === "object" && !Array.isArray(value);
}
