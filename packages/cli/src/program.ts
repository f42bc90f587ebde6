import type { AnyCommand, Options } from "./command.ts";

/** A program with commands: what `--help`, the man page and the completion are made of. */
export interface Program<G> {
  readonly name: string;
  /** What it does, for the first line of `--help`: "runs containers". */
  readonly does: string;
  /** The same for the man page's NAME: "run containers". */
  readonly summary: string;
  readonly commands: readonly AnyCommand<G>[];
  readonly globalOptions: Options;
}
