/** One option of a command. Without `value` it is a flag. */
export interface Option {
  readonly short?: string;
  /** Other long names of the same option. */
  readonly aliases?: readonly string[];
  /** What the value is, in capitals: "PATH". */
  readonly value?: string;
  /** May be given more than once. */
  readonly repeat?: true;
  /** The values that are allowed. */
  readonly choices?: readonly string[];
  readonly help: string;
}

/** Options by their long names. */
export type Options = Readonly<Record<string, Option>>;

/** What the parser makes of options: flags are booleans, others strings, repeated ones arrays in their order. */
export type Values<O extends Options> = {
  readonly [K in keyof O]: O[K] extends { readonly value: string }
    ? O[K] extends { readonly repeat: true }
      ? readonly string[]
      : string | undefined
    : boolean;
};

/** One positional argument. */
export interface Argument {
  /** In capitals: "ID". */
  readonly name: string;
  readonly optional?: true;
  /** Takes everything that is left, options of others included: nothing after the first positional is an option of ours. */
  readonly rest?: true;
  /** The values that are allowed. */
  readonly choices?: readonly string[];
  readonly help: string;
}

/** G: what the program's global options come to. */
export interface Invocation<O extends Options, G> {
  readonly options: Values<O>;
  readonly args: readonly string[];
  readonly globals: G;
}

/** One row of the command table. */
export interface Command<O extends Options, G> {
  readonly name: string;
  /** Other names of it: upstream's. */
  readonly aliases?: readonly string[];
  /** One line, no full stop. */
  readonly summary: string;
  /** More, for `--help` and the man page. */
  readonly description?: string;
  readonly args: readonly Argument[];
  readonly options: O;
  /** @returns the exit status */
  run(invocation: Invocation<O, G>): Promise<number>;
}

/** A command whose own options' types are forgotten: what the table holds. */
export interface AnyCommand<G> extends Omit<Command<Options, G>, "run"> {
  /** Parses the arguments after the command's name, then runs. */
  invoke(argv: readonly string[], globals: G): Promise<number>;
}
