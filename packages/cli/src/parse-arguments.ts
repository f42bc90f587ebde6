import { KataError } from "@kata-containers/sys";
import type { Argument, Option, Options, Values } from "./command.ts";

/** Whose arguments they are; command "": the globals. */
export interface CommandPlace {
  readonly program: string;
  readonly command: string;
}

export interface Parsed<O extends Options> {
  readonly options: Values<O>;
  readonly args: readonly string[];
}

/**
 * Parses what stands after a command's name: `--name value`, `--name=value`, `-n value`, and flags, anywhere among the
 * positional arguments; `--` ends options, and so does the first positional of a command with a `rest` argument.
 * @param place names it in errors
 * @throws KataError InvalidArgument
 */
export function parseArguments<const O extends Options>(
  argv: readonly string[],
  options: O,
  args: readonly Argument[],
  place: CommandPlace,
): Parsed<O> {
  const scanned = scan(argv, options, args, place);
  checkCount(scanned.args, args, place);
  return { options: collect(options, scanned.values), args: scanned.args };
}

/**
 * Parses options up to the first argument that is none.
 * @returns also the index of that argument
 */
export function parseLeadingOptions<const O extends Options>(
  argv: readonly string[],
  options: O,
  program: string,
): { readonly options: Values<O>; readonly next: number } {
  const place = { program, command: "" };
  const scanned = scan(argv, options, [{ name: "COMMAND", rest: true, help: "" }], place);
  return { options: collect(options, scanned.values), next: argv.length - scanned.args.length };
}

type Given = Map<string, string[]>;

function scan(argv: readonly string[], options: Options, args: readonly Argument[], place: CommandPlace) {
  const stopsAtPositional = args.some((arg) => arg.rest === true);
  const values: Given = new Map();
  const positional: string[] = [];
  for (let index = 0; index < argv.length; index++) {
    const word = argv[index] ?? "";
    if (word === "--") {
      positional.push(...argv.slice(index + 1));
      break;
    }
    if (word === "-" || !word.startsWith("-")) {
      positional.push(word);
      if (!stopsAtPositional) continue;
      positional.push(...argv.slice(index + 1));
      break;
    }
    const { name, option, inline } = lookUp(word, options, place);
    if (option.value === undefined) {
      // As Go's flag package: --force=false is none.
      if (inline === "false") values.delete(name);
      else if (inline === undefined || inline === "true") values.set(name, ["true"]);
      else throw wrong(place, `option --${name} takes no value`);
      continue;
    }
    const value = inline ?? argv[++index];
    if (value === undefined) throw wrong(place, `option --${name} needs a value (${option.value})`);
    if (option.choices !== undefined && !option.choices.includes(value)) {
      throw wrong(place, `unknown ${name} ${JSON.stringify(value)} (known: ${option.choices.join(", ")})`);
    }
    values.set(name, option.repeat ? [...(values.get(name) ?? []), value] : [value]);
  }
  return { values, args: positional };
}

function lookUp(
  word: string,
  options: Options,
  place: CommandPlace,
): { name: string; option: Option; inline?: string } {
  const equals = word.indexOf("=");
  const written = equals < 0 ? word : word.slice(0, equals);
  // As Go's flag package, which callers of runc are used to: -name is --name.
  const bare = written.replace(/^--?/, "");
  for (const [name, option] of Object.entries(options)) {
    if (bare !== name && bare !== option.short && !option.aliases?.includes(bare)) continue;
    return equals < 0 ? { name, option } : { name, option, inline: word.slice(equals + 1) };
  }
  throw wrong(place, `unknown option ${written}`);
}

function checkCount(given: readonly string[], args: readonly Argument[], place: CommandPlace): void {
  const needed = args.filter((arg) => arg.optional !== true);
  const missing = needed[given.length];
  if (missing !== undefined) throw wrong(place, `${missing.name} is missing`);
  if (given.length > args.length && !args.some((arg) => arg.rest === true)) {
    throw wrong(place, `unexpected argument ${JSON.stringify(given[args.length])}`);
  }
}

function collect<O extends Options>(options: O, given: Given): Values<O> {
  const values: Record<string, string | boolean | readonly string[] | undefined> = {};
  for (const [name, option] of Object.entries(options)) {
    const words = given.get(name);
    if (option.value === undefined) values[name] = words !== undefined;
    else values[name] = option.repeat ? (words ?? []) : words?.[0];
  }
  // Values<O> is computed from the same table that the loop above walks: flag, value, repeated value.
  return values as Values<O>;
}

function wrong({ program, command }: CommandPlace, message: string): KataError {
  const front = command === "" ? "" : `${command}: `;
  return new KataError(
    "InvalidArgument",
    `${front}${message} (see ${program} ${command === "" ? "" : `${command} `}--help)`,
  );
}
