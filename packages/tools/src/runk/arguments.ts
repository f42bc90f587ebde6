import { KataError } from "@kata-containers/sys";

/** An option of a command: a flag, or one with a value. */
export type Option = { readonly short?: string; readonly value?: true };
export type Options = Readonly<Record<string, Option>>;

/** Options by name; the words that are none, in order. A repeated option keeps all its values. */
export class Arguments {
  readonly words: readonly string[];
  readonly #values: ReadonlyMap<string, readonly string[]>;

  constructor(words: readonly string[], values: ReadonlyMap<string, readonly string[]>) {
    this.words = words;
    this.#values = values;
  }

  flag(name: string): boolean {
    return this.#values.get(name)?.at(-1) === "true";
  }

  value(name: string): string | undefined {
    return this.#values.get(name)?.at(-1);
  }

  values(name: string): readonly string[] {
    return this.#values.get(name) ?? [];
  }

  /** A positional argument that has to be there. */
  word(index: number, what: string): string {
    const word = this.words[index];
    if (word === undefined) throw new KataError("InvalidArgument", `${what} is missing`);
    return word;
  }
}

/**
 * Parses as Go's flag package does, for callers of runc: `-name value`, `--name=value`, flags; options end at the first
 * word that is none, or at `--`. With `anywhere` they may also follow words, as managers write "delete ID --force".
 *
 * @throws KataError InvalidArgument: an unknown option, or one without its value.
 */
export function parseArguments(argv: readonly string[], options: Options, anywhere: boolean): Arguments {
  const values = new Map<string, string[]>();
  const words: string[] = [];
  for (let index = 0; index < argv.length; index++) {
    const word = argv[index] ?? "";
    if (word === "--") {
      words.push(...argv.slice(index + 1));
      break;
    }
    if (!word.startsWith("-") || word === "-") {
      words.push(word);
      if (anywhere) continue;
      words.push(...argv.slice(index + 1));
      break;
    }
    const [written = "", inline] = splitOnce(word.replace(/^--?/, ""));
    const found = Object.entries(options).find(
      ([name, option]) => name === written || option.short === written,
    );
    if (found === undefined) throw new KataError("InvalidArgument", `flag provided but not defined: ${word}`);
    const [name, option] = found;
    const value = inline ?? (option.value ? argv[++index] : "true");
    if (value === undefined) throw new KataError("InvalidArgument", `flag needs an argument: ${word}`);
    values.set(name, [...(values.get(name) ?? []), value]);
  }
  return new Arguments(words, values);
}

function splitOnce(text: string): [string, string?] {
  const equals = text.indexOf("=");
  return equals < 0 ? [text] : [text.slice(0, equals), text.slice(equals + 1)];
}
