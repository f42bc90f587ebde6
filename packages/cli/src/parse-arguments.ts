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
  checkChoices(scanned.args, args, place);
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

/** Those of the leading options that can be read, whatever is wrong with the others: where an error is to be told is one of them. */
export function readableOptions<const O extends Options>(
  argv: readonly string[],
  options: O,
  program: string,
): Values<O> {
  const values: Given = new Map();
  const place = { program, command: "" };
  for (let index = 0; isOption(argv[index]); ) index = takeOption(argv, index, options, place, values).next;
  return collect(options, values);
}

type Given = Map<string, string[]>;

const isOption = (word = "") => word.startsWith("-") && word !== "-" && word !== "--";

function scan(argv: readonly string[], options: Options, args: readonly Argument[], place: CommandPlace) {
  const stopsAtPositional = args.some((arg) => arg.rest === true);
  const values: Given = new Map();
  const positional: string[] = [];
  let index = 0;
  while (index < argv.length) {
    const word = argv[index] ?? "";
    if (isOption(word)) {
      const { next, error } = takeOption(argv, index, options, place, values);
      if (error !== undefined) throw error;
      index = next;
      continue;
    }
    index++;
    if (word !== "--") positional.push(word);
    if (word !== "--" && !stopsAtPositional) continue;
    positional.push(...argv.slice(index));
    break;
  }
  return { values, args: positional };
}

/**
 * Reads the option at `index` into `values`.
 * @returns where the next word stands, and what is wrong with the option
 */
function takeOption(
  argv: readonly string[],
  index: number,
  options: Options,
  place: CommandPlace,
  values: Given,
): { readonly next: number; readonly error?: KataError } {
  const word = argv[index] ?? "";
  const found = lookUp(word, options);
  const failed = (next: number, message: string) => ({ next, error: wrong(place, message) });
  if (found === undefined) return failed(index + 1, `unknown option ${word.replace(/=.*/s, "")}`);
  const { name, option, inline } = found;
  if (option.value === undefined) {
    // As Go's flag package: --force=false is none.
    if (inline === "false") values.delete(name);
    else if (inline === undefined || inline === "true") values.set(name, ["true"]);
    else return failed(index + 1, `option --${name} takes no value`);
    return { next: index + 1 };
  }
  const next = inline === undefined ? index + 2 : index + 1;
  const value = inline ?? argv[index + 1];
  if (value === undefined) return failed(next, `option --${name} needs a value (${option.value})`);
  if (option.choices !== undefined && !option.choices.includes(value)) {
    return failed(next, `unknown ${name} ${JSON.stringify(value)} (known: ${option.choices.join(", ")})`);
  }
  values.set(name, option.repeat ? [...(values.get(name) ?? []), value] : [value]);
  return { next };
}

function lookUp(
  word: string,
  options: Options,
): { readonly name: string; readonly option: Option; readonly inline?: string } | undefined {
  const equals = word.indexOf("=");
  const written = equals < 0 ? word : word.slice(0, equals);
  // As Go's flag package, which callers of runc are used to: -name is --name.
  const bare = written.replace(/^--?/, "");
  for (const [name, option] of Object.entries(options)) {
    if (bare !== name && bare !== option.short && !option.aliases?.includes(bare)) continue;
    return equals < 0 ? { name, option } : { name, option, inline: word.slice(equals + 1) };
  }
  return undefined;
}

function checkCount(given: readonly string[], args: readonly Argument[], place: CommandPlace): void {
  const needed = args.filter((arg) => arg.optional !== true);
  const missing = needed[given.length];
  if (missing !== undefined) throw wrong(place, `${missing.name} is missing`);
  if (given.length > args.length && !args.some((arg) => arg.rest === true)) {
    throw wrong(place, `unexpected argument ${JSON.stringify(given[args.length])}`);
  }
}

function checkChoices(given: readonly string[], args: readonly Argument[], place: CommandPlace): void {
  for (const [index, { name, choices }] of args.entries()) {
    const value = given[index];
    if (choices === undefined || value === undefined || choices.includes(value)) continue;
    throw wrong(place, `unknown ${name} ${JSON.stringify(value)} (known: ${choices.join(", ")})`);
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
