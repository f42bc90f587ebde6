import { existsSync, type FSWatcher, watch } from "node:fs";

/** Counts the changes of a container's record (persist.json written anew or removed), from before its directory is there. */
export class RecordWatch implements Disposable {
  readonly #directory: string;
  readonly #watchers: FSWatcher[] = [];
  /** Called at each change. */
  readonly #waiting = new Set<() => void>();
  #watched = false;
  #changes = 0;

  /** @param root the state root, which must be there */
  constructor(root: string, id: string) {
    this.#directory = `${root}/${id}`;
    this.#watch(root, (name) => {
      if (name === id) this.#watchDirectory();
    });
    this.#watchDirectory();
    // What was there before is no change.
    this.#changes = 0;
  }

  get changes(): number {
    return this.#changes;
  }

  /** Resolves at that many changes, or when `over` resolves; nothing is left to wait for then. */
  async reaches(change: number, over: Promise<unknown>): Promise<void> {
    if (this.#changes >= change) return;
    let check = () => {};
    const reached = new Promise<void>((resolve) => {
      check = () => {
        if (this.#changes >= change) resolve();
      };
    });
    this.#waiting.add(check);
    await Promise.race([reached, over]);
    this.#waiting.delete(check);
  }

  #watchDirectory(): void {
    if (this.#watched || !existsSync(this.#directory)) return;
    this.#watched = true;
    this.#watch(this.#directory, (name) => {
      if (name === "persist.json") this.#changed();
    });
    // It may have been written before anybody looked.
    if (existsSync(`${this.#directory}/persist.json`)) this.#changed();
  }

  #changed(): void {
    this.#changes++;
    for (const check of this.#waiting) check();
  }

  /** A name that appears in a directory or goes from it; a write to an open file is a "change" and does not count. */
  #watch(directory: string, appears: (name: string | null) => void): void {
    const watcher = watch(directory, (event, name) => {
      if (event === "rename") appears(name);
    });
    // A directory that goes away.
    watcher.on("error", () => {});
    this.#watchers.push(watcher);
  }

  [Symbol.dispose](): void {
    for (const watcher of this.#watchers) watcher.close();
  }
}
