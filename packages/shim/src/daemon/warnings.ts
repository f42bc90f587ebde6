/** A caller gets so many lines; the log has them all. */
const MAX = 20;

/** What the log warned of while a container was made, for whoever asked for it. */
export class Warnings {
  #open = true;
  #lines: string[] = [];

  /** Keeps a line while a container is being made: from the daemon's start, and from each `begin`, to the next `take`. */
  add(line: string): void {
    if (this.#open && this.#lines.length < MAX && !this.#lines.includes(line)) this.#lines.push(line);
  }

  begin(): void {
    this.#open = true;
  }

  take(): string[] {
    const lines = this.#lines;
    this.#lines = [];
    this.#open = false;
    return lines;
  }
}
