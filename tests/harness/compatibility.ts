import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { repository } from "./programs.ts";

/** What became of a feature of a client's with kata: "works", as with runc; or what is otherwise, and why. */
export type Cell = string;

/** What a suite found out about a client, for docs/compatibility.md (scripts/write-compatibility.mjs). */
export class Compatibility {
  readonly #suite: string;
  readonly #cells: Record<string, Cell> = {};

  /** @param suite the client's name, and after a hyphen what else names the suite, if the client has several */
  constructor(suite: string) {
    this.#suite = suite;
  }

  note(feature: string, cell: Cell): void {
    this.#cells[feature] = cell;
  }

  /** Leaves it in build/compatibility. */
  write(): void {
    const directory = join(repository, "build/compatibility");
    mkdirSync(directory, { recursive: true });
    writeFileSync(join(directory, `${this.#suite}.json`), `${JSON.stringify(this.#cells, null, 2)}\n`);
  }
}
