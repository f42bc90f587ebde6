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
  /** True when the value names a file that must be there before anything is started. */
  readonly file: boolean;
  /** Gives the checked value, or says in words that follow "must be" what is allowed. */
  readonly check: (value: unknown) => Checked<T>;
}

export type Checked<T> = { readonly value: T } | { readonly mustBe: string };

/** The type of a key's value. */
export type ValueOf<K> = K extends Key<infer T> ? T : never;

interface Told<T> {
  readonly help: string;
  readonly example?: T;
}

/** A path of a file that must exist; absolute, so that it means the same for everyone who reads it. */
export function file(path: string, told: Told<string>): Key<string> {
  const mustBe = "an absolute path";
  return {
    ...told,
    default: path,
    type: mustBe,
    file: true,
    check: (value) => (typeof value === "string" && value.startsWith("/") ? { value } : { mustBe }),
  };
}

export function text(value: string, told: Told<string>): Key<string> {
  const mustBe = "a string";
  return {
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
    ...told,
    default: value,
    type: mustBe,
    file: false,
    check: (given) => (allowed(given) ? { value: given } : { mustBe }),
  };
}

export function oneOf<const T extends string>(value: T, others: readonly T[], told: Told<T>): Key<T> {
  const all = [value, ...others];
  const mustBe = all.map((choice) => JSON.stringify(choice)).join(" or ");
  return {
    ...told,
    default: value,
    type: mustBe,
    file: false,
    check: (given) => {
      const found = all.find((choice) => choice === given);
      return found === undefined ? { mustBe } : { value: found };
    },
  };
}

export function texts(value: readonly string[], told: Told<readonly string[]>): Key<readonly string[]> {
  const mustBe = "an array of strings";
  return {
    ...told,
    default: value,
    type: mustBe,
    file: false,
    check: (given) =>
      Array.isArray(given) && given.every((item): item is string => typeof item === "string")
        ? { value: given }
        : { mustBe },
  };
}
