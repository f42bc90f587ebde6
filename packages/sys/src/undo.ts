/**
 * A stack of releases: what was taken is given back in reverse order, on every way out.
 *
 * ```ts
 * await using undo = new Undo();
 * undo.defer(() => ops.rmdir(path));
 * // …
 * undo.commit(); // all is well: keep everything
 * ```
 */
export class Undo implements AsyncDisposable {
  #releases: (() => void | PromiseLike<void>)[] = [];

  /** Adds a release; it runs before those added earlier. */
  defer(release: () => void | PromiseLike<void>): void {
    this.#releases.push(release);
  }

  /** Adds a disposable and returns it. */
  use<T extends Disposable | AsyncDisposable>(resource: T): T {
    this.defer(() =>
      Symbol.dispose in resource ? resource[Symbol.dispose]() : resource[Symbol.asyncDispose](),
    );
    return resource;
  }

  /** Forgets every release: what was taken stays. */
  commit(): void {
    this.#releases = [];
  }

  /** Moves every release to a new stack, which now owns them. */
  move(): Undo {
    const moved = new Undo();
    moved.#releases = this.#releases;
    this.#releases = [];
    return moved;
  }

  /** Runs every release, also after one has failed. Throws the failure, or an AggregateError of several. */
  async run(): Promise<void> {
    const failures: unknown[] = [];
    for (let release = this.#releases.pop(); release !== undefined; release = this.#releases.pop()) {
      try {
        await release();
      } catch (failure) {
        failures.push(failure);
      }
    }
    if (failures.length === 1) throw failures[0];
    if (failures.length > 1) throw new AggregateError(failures, failures.map(String).join("; "));
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.run();
  }
}
