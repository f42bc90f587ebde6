import type { Key, Refusal } from "./key.ts";
import { foreignTables, refusedTables } from "./table/foreign.ts";
import { type SectionName, sectionNames, type Table, table } from "./table.ts";

/** Values that a package or a test wants instead of the defaults, by table: `{ "hypervisor.qemu": { kernel: "/x" } }`. */
export type Overrides = {
  readonly [S in SectionName as Table[S]["name"]]?: Readonly<Record<string, unknown>>;
};

/**
 * Prints configuration.toml: every key with its help. A key at its default is a comment, so that a later version's
 * default takes effect; one that is overridden is set.
 * @throws RangeError when an override names no key, or is not allowed for it
 */
export function renderTemplate(overrides: Overrides = {}): string {
  const tables: readonly string[] = sectionNames.map((section) => table[section].name);
  const stray = Object.keys(overrides).find((name) => !tables.includes(name));
  if (stray !== undefined) throw new RangeError(`there is no table [${stray}]`);
  const parts = ["# Kata Containers. Unknown keys and wrong values are errors.\n"];
  for (const section of sectionNames) {
    const { name, help, keys } = table[section];
    const given = overrides[name] ?? {};
    refuseUnknown(name, keys, given);
    parts.push(`${comment(help)}[${name}]\n`);
    for (const [key, known] of entries(keys))
      parts.push(renderKey(`[${name}] ${key}`, key, known, given[key]));
  }
  return parts.join("\n");
}

/** The same table as a page of documentation, in Markdown. */
export function renderDocs(): string {
  const parts = ["# configuration.toml\n\nMade from packages/config/src/table.ts.\n"];
  for (const section of sectionNames) {
    const { name, help, keys } = table[section];
    parts.push(`## [${name}]\n\n${help}\n`);
    const rows = entries(keys).map(([key, known]) => {
      const example = known.example === undefined ? "" : ` Example: \`${toml(known.example)}\`.`;
      return `| \`${key}\` | ${known.type} | \`${toml(known.default)}\` | ${known.help}${example} |`;
    });
    parts.push(`| key | value | default | meaning |\n|---|---|---|---|\n${rows.join("\n")}\n`);
  }
  parts.push(refusedDocs());
  return parts.join("\n");
}

/** What upstream has and we refuse: nobody should look for it in vain, or think that it works. */
function refusedDocs(): string {
  const refused: Readonly<Record<string, Readonly<Record<string, Refusal>>>> = {
    ...Object.fromEntries(sectionNames.map((section) => [table[section].name, table[section].refused])),
    ...foreignTables,
  };
  const rows = Object.entries(refused).flatMap(([name, keys]) =>
    Object.entries(keys).map(([key, { reason, same }]) => {
      const accepted = same.map((value) => `\`${toml(value)}\``).join(", ");
      return `| \`${key}\` of [${name}] | ${accepted} | ${reason} |`;
    }),
  );
  const tables = Object.entries(refusedTables).map(([name, reason]) => `| [${name}] | | ${reason} |`);
  return [
    "## Not supported",
    "",
    "Keys of upstream's that are errors here, but for a value that asks for what is done anyway.",
    "",
    "| key | accepted | why it is not supported |\n|---|---|---|",
    ...rows,
    ...tables,
    "",
  ].join("\n");
}

function entries(keys: Readonly<Record<string, Key<unknown>>>): [string, Key<unknown>][] {
  return Object.entries(keys);
}

function renderKey(where: string, name: string, key: Key<unknown>, given: unknown): string {
  const help = comment(`${key.help} (${key.type})`);
  if (given === undefined) return `${help}# ${name} = ${toml(key.default)}\n`;
  const checked = key.check(given);
  if ("mustBe" in checked)
    throw new RangeError(`${where} must be ${checked.mustBe}, not ${JSON.stringify(given)}`);
  return `${help}${name} = ${toml(given)}\n`;
}

function refuseUnknown(section: string, keys: object, given: Readonly<Record<string, unknown>>): void {
  const unknown = Object.keys(given).find((name) => !(name in keys));
  if (unknown !== undefined) throw new RangeError(`[${section}] has no key ${unknown}`);
}

function comment(help: string): string {
  return `${wrap(help, 110)
    .map((line) => `# ${line}`)
    .join("\n")}\n`;
}

function wrap(words: string, width: number): string[] {
  const lines: string[] = [];
  for (const word of words.split(" ")) {
    const last = lines.at(-1);
    if (last === undefined || last.length + 1 + word.length > width) lines.push(word);
    else lines[lines.length - 1] = `${last} ${word}`;
  }
  return lines;
}

/** Basic strings of TOML and JSON have the same escapes, except for DEL, which no key of ours allows to matter. */
function toml(value: unknown): string {
  return Array.isArray(value) ? `[${value.map(toml).join(", ")}]` : JSON.stringify(value);
}
