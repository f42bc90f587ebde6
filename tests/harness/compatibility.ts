import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { repository } from "./programs.ts";

/** What became of a feature of a client's with kata: "works", as with runc; or what is otherwise, and why. */
export type Cell = string;

/** What a suite found out about a client, for docs/compatibility.md (scripts/write-compatibility.mjs). */
export class Compatibility {
  readonly #client: string;
  readonly #cells: Record<string, Cell> = {};

  constructor(client: string) {
    this.#client = client;
  }

  note(feature: string, cell: Cell): void {
    this.#cells[feature] = cell;
  }

  /** Leaves it in build/compatibility. */
  write(): void {
    const directory = join(repository, "build/compatibility");
    mkdirSync(directory, { recursive: true });
    writeFileSync(join(directory, `${this.#client}.json`), `${JSON.stringify(this.#cells, null, 2)}\n`);
  }
}
