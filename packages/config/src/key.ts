import { isPlainPath, PLAIN_PATH, pathPatternObstacle } from "./path-pattern.ts";

/**
 * What is known about one key of configuration.toml.
 * @typeParam T the type of its value once it is checked
 */
export interface Key<T> {
  readonly default: T;
  /** The type as documents and errors name it: "string", "a number of seconds", … */
  readonly type: string;
  /** One or more sentences for the template and the documentation. */
  readonly help: string;
  /** A value other than the default, shown in the documentation. */
  readonly example?: T;
  /** True when the value, unless it is empty, names a file that must be there before anything is started. */
  readonly file: boolean;
  /** Gives the checked value, or says in words that follow "must be" what is allowed. */
  readonly check: (value: unknown) => Checked<T>;
  /** What an annotation's text stands for, not yet checked; text that stands for nothing stays as it is. */
  readonly fromText: (text: string) => unknown;
  /** How an annotation of a sandbox may set it, or why none may; undefined: it is none of those that may differ from pod to pod. */
  readonly annotation?: AnnotationRule | string;
}

export type Checked<T> = { readonly value: T } | { readonly mustBe: string };

/** The keys of [hypervisor.qemu] that say which paths annotations may name. */
export type AllowList =
  | "valid_hypervisor_paths"
  | "valid_kernel_paths"
  | "valid_initrd_paths"
  | "valid_firmware_paths"
  | "valid_virtio_fs_daemon_paths"
  | "valid_entropy_sources";

/** How an annotation of a sandbox sets a key, when `enable_annotations` allows its name. */
export interface AnnotationRule {
  /** Lists what a path may be; the configuration's own value is always allowed. */
  readonly allowList?: AllowList;
  /** What stands between the configuration's words and the annotation's, which are added to them; else it replaces the value. */
  readonly addedAfter?: string;
}

/** The type of a key's value. */
export type ValueOf<K> = K extends Key<infer T> ? T : never;

interface Told<T> {
  readonly help: string;
  readonly example?: T;
  readonly annotation?: AnnotationRule | string;
}

const asIs = (text: string): string => text;

/** Digits that a number keeps exactly. */
const asNumber = (text: string): unknown => (/^-?\d{1,15}$/.test(text) ? Number(text) : text);

/** The words of Go's strconv.ParseBool, by which upstream reads annotations. */
const BOOLEANS: ReadonlyMap<string, boolean> = new Map([
  ...["1", "t", "T", "true", "True", "TRUE"].map((text) => [text, true] as const),
  ...["0", "f", "F", "false", "False", "FALSE"].map((text) => [text, false] as const),
]);

export const asBoolean = (text: string): unknown => BOOLEANS.get(text) ?? text;

/** A path of a file that must exist; absolute, so that it means the same for everyone who reads it. */
export function file(path: string, told: Told<string>): Key<string> {
  const mustBe = "an absolute path";
  return {
    fromText: asIs,
    ...told,
    default: path,
    type: mustBe,
    file: true,
    check: (value) => (typeof value === "string" && value.startsWith("/") ? { value } : { mustBe }),
  };
}

/** A path of what need not exist; {@link isPlainPath}. */
export function plainPath(path: string, told: Told<string>): Key<string> {
  const mustBe = PLAIN_PATH;
  return {
    fromText: asIs,
    ...told,
    default: path,
    type: mustBe,
    file: false,
    check: (value) => (typeof value === "string" && isPlainPath(value) ? { value } : { mustBe }),
  };
}

/** A path of a file that must exist, or nothing. */
export function optionalFile(told: Told<string>): Key<string> {
  const mustBe = 'an absolute path, or ""';
  return {
    fromText: asIs,
    ...told,
    default: "",
    type: mustBe,
    file: true,
    check: (value) =>
      typeof value === "string" && (value === "" || value.startsWith("/")) ? { value } : { mustBe },
  };
}

export function text(value: string, told: Told<string>): Key<string> {
  const mustBe = "a string";
  return {
    fromText: asIs,
    ...told,
    default: value,
    type: mustBe,
    file: false,
    check: (given) => (typeof given === "string" && !/[\0\n]/.test(given) ? { value: given } : { mustBe }),
  };
}

export function flag(value: boolean, told: Told<boolean>): Key<boolean> {
  const mustBe = "true or false";
  return {
    fromText: asBoolean,
    ...told,
    default: value,
    type: mustBe,
    file: false,
    check: (given) => (typeof given === "boolean" ? { value: given } : { mustBe }),
  };
}

/** A whole number from min to max, both allowed. `unit` is plural: "seconds". */
export function count(
  value: number,
  range: { readonly min: number; readonly max: number; readonly unit: string },
  told: Told<number>,
): Key<number> {
  const { min, max, unit } = range;
  const mustBe = `a number of ${unit} from ${min} to ${max}`;
  const allowed = (given: unknown): given is number =>
    typeof given === "number" && Number.isSafeInteger(given) && given >= min && given <= max;
  return {
    fromText: asNumber,
    ...told,
    default: value,
    type: mustBe,
    file: false,
    check: (given) => (allowed(given) ? { value: given } : { mustBe }),
  };
}

/** Times of the table, from `min` to a day. */
export const seconds = (min: number) => ({ min, max: 86_400, unit: "seconds" });

/** One of some numbers. */
export function oneOfNumbers(value: number, others: readonly number[], told: Told<number>): Key<number> {
  return choice(
    value,
    [...others, value].sort((a, b) => a - b),
    told,
  );
}

/** @param told.refused other values that are known, and why we do not have them */
export function oneOf<const T extends string>(
  value: T,
  others: readonly T[],
  told: Told<T> & { readonly refused?: Readonly<Record<string, string>> },
): Key<T> {
  return choice(value, [value, ...others], told, told.refused);
}

function choice<T extends string | number>(
  value: T,
  all: readonly T[],
  told: Told<T>,
  reasons: Readonly<Record<string, string>> = {},
): Key<T> {
  const mustBe = all.map((one) => JSON.stringify(one)).join(" or ");
  return {
    fromText: typeof value === "number" ? asNumber : asIs,
    ...told,
    default: value,
    type: mustBe,
    file: false,
    check: (given) => {
      const found = all.find((one) => one === given);
      if (found !== undefined) return { value: found };
      const known = typeof given === "string" && Object.hasOwn(reasons, given) ? reasons[given] : undefined;
      return { mustBe: known === undefined ? mustBe : `${mustBe} (${known})` };
    },
  };
}

/** Words in one string, each checked on its own: kernel parameters, CPU features. */
export function words(
  value: string,
  rule: {
    readonly separator: "," | " ";
    readonly maxLength: number;
    readonly wrong: (word: string) => string | undefined;
  },
  told: Told<string>,
): Key<string> {
  const type = `words separated by ${rule.separator === "," ? "commas" : "spaces"}`;
  const obstacle = (given: string): string | undefined => {
    if (!/^[\x20-\x7e]*$/.test(given)) return `${type}, in printable ASCII`;
    if (given.length > rule.maxLength) return `at most ${rule.maxLength} characters`;
    for (const word of splitWords(given, rule.separator)) {
      const wrong = rule.wrong(word);
      if (wrong !== undefined) return wrong;
    }
    return undefined;
  };
  return {
    fromText: asIs,
    ...told,
    default: value,
    type,
    file: false,
    check: (given) => {
      if (typeof given !== "string") return { mustBe: type };
      const mustBe = obstacle(given);
      return mustBe === undefined ? { value: given } : { mustBe };
    },
  };
}

/** The words of a value of {@link words}, blanks around them cut. */
export function splitWords(value: string, separator: "," | " "): string[] {
  return value
    .split(separator)
    .map((word) => word.trim())
    .filter(Boolean);
}

export function texts(
  value: readonly string[],
  told: Told<readonly string[]> & { readonly wrong?: (item: string) => string | undefined },
): Key<readonly string[]> {
  const mustBe = "an array of strings";
  const { wrong = () => undefined } = told;
  return {
    fromText: asIs,
    ...told,
    default: value,
    type: mustBe,
    file: false,
    check: (given) => {
      const strings =
        Array.isArray(given) &&
        given.every((item): item is string => typeof item === "string" && !/[\0\n]/.test(item));
      if (!strings) return { mustBe };
      const obstacle = given.map(wrong).find((each) => each !== undefined);
      return obstacle === undefined ? { value: given } : { mustBe: obstacle };
    },
  };
}

/** Regular expressions that are looked for in names. */
export function patterns(told: Told<readonly string[]>): Key<readonly string[]> {
  return texts([], {
    ...told,
    wrong: (item) =>
      isRegularExpression(item)
        ? undefined
        : `without ${JSON.stringify(item)}: it is no regular expression of JavaScript's with the flag u`,
  });
}

function isRegularExpression(source: string): boolean {
  try {
    return new RegExp(source, "u") instanceof RegExp;
  } catch {
    return false;
  }
}

/** Patterns of paths that annotations may name, see path-pattern.ts. Upstream's lists may have "", which no path matches. */
export function pathPatterns(told: Told<readonly string[]>): Key<readonly string[]> {
  return texts([], {
    ...told,
    wrong: (item) => {
      const obstacle = item === "" ? undefined : pathPatternObstacle(item);
      return obstacle === undefined ? undefined : `without ${JSON.stringify(item)}: it ${obstacle}`;
    },
  });
}

/** A key of upstream's that we know and do not have. */
export interface Refusal {
  /** Why, in words that follow "is not supported: ". */
  readonly reason: string;
  /** Values that ask for just what we do anyway: they are accepted. */
  readonly same: readonly unknown[];
}

/** @param same values that mean what we do anyway */
export function refused(reason: string, ...same: readonly unknown[]): Refusal {
  return { reason, same };
}
