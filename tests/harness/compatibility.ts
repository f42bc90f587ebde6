import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { repository } from "./programs.ts";

/** What became of a feature of a client's, with runc and with kata: "works", or what is otherwise, and why. */
export interface Outcome {
  readonly runc: string;
  readonly kata: string;
}

/** The same with both. */
export const WORKS: Outcome = { runc: "works", kata: "works" };

/** What a suite found out about a client, for docs/compatibility.md (scripts/write-compatibility.mjs). */
export class Compatibility {
  readonly #suite: string;
  readonly #outcomes: Record<string, Outcome> = {};

  /** @param suite the client's name, and after a hyphen what else names the suite, if the client has several */
  constructor(suite: string) {
    this.#suite = suite;
  }

  note(feature: string, outcome: Outcome): void {
    this.#outcomes[feature] = outcome;
  }

  /** Leaves it in build/compatibility. */
  write(): void {
    const directory = join(repository, "build/compatibility");
    mkdirSync(directory, { recursive: true });
    writeFileSync(join(directory, `${this.#suite}.json`), `${JSON.stringify(this.#outcomes, null, 2)}\n`);
  }
}
