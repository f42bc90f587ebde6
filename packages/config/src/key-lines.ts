/**
 * Where the keys and tables of a TOML document stand: the parser does not tell.
 * @param source valid TOML (toml.io/en/v1.0.0)
 * @returns the line, from 1, by the key's full name, its parts joined by NUL; a table's is that of its first header
 */
export function keyLines(source: string): ReadonlyMap<string, number> {
  return new Scanner(source).scan();
}

/** The name under which {@link keyLines} has a key. */
export function keyPath(...parts: readonly string[]): string {
  return parts.join("\0");
}

const BARE = /[A-Za-z0-9_-]/;

class Scanner {
  readonly #source: string;
  readonly #lines = new Map<string, number>();
  #at = 0;
  #line = 1;

  constructor(source: string) {
    this.#source = source;
  }

  scan(): ReadonlyMap<string, number> {
    let table: readonly string[] = [];
    for (this.#skipBlank(); this.#at < this.#source.length; this.#skipBlank()) {
      const line = this.#line;
      if (this.#peek() === "[") {
        while (this.#peek() === "[") this.#next();
        table = this.#key();
        this.#note(table, line);
        while (this.#peek() === "]") this.#next();
      } else this.#pair(table);
    }
    return this.#lines;
  }

  #pair(table: readonly string[]): void {
    const line = this.#line;
    const path = [...table, ...this.#key()];
    this.#note(path, line);
    this.#next(); // =
    this.#value(path);
  }

  /** A dotted key is a key in tables that its first parts name. */
  #note(path: readonly string[], line: number): void {
    for (let length = 1; length <= path.length; length++) {
      const name = keyPath(...path.slice(0, length));
      if (!this.#lines.has(name)) this.#lines.set(name, line);
    }
  }

  #key(): string[] {
    const parts: string[] = [];
    for (;;) {
      this.#skipBlank();
      const quote = this.#peek();
      if (quote === '"' || quote === "'") parts.push(this.#string());
      else parts.push(this.#bare());
      this.#skipBlank();
      if (this.#peek() !== ".") return parts;
      this.#next();
    }
  }

  #bare(): string {
    const start = this.#at;
    while (BARE.test(this.#peek())) this.#next();
    // What is no key ends the scan instead of stopping it here for ever.
    if (this.#at === start) this.#at = this.#source.length;
    return this.#source.slice(start, this.#at);
  }

  #value(path: readonly string[]): void {
    this.#skipBlank();
    const first = this.#peek();
    if (first === '"' || first === "'") this.#string();
    else if (first === "[") this.#list(() => this.#value(path), "]");
    else if (first === "{") this.#list(() => this.#pair(path), "}");
    else while (this.#at < this.#source.length && !/[\s,\]}#]/.test(this.#peek())) this.#next();
  }

  #list(item: () => void, end: string): void {
    this.#next();
    for (;;) {
      this.#skipBlank();
      if (this.#at >= this.#source.length || this.#peek() === end) break;
      if (this.#peek() === ",") this.#next();
      else item();
    }
    this.#next();
  }

  /** A string in either quotes, of one or many lines. @returns its text, escapes as they are written */
  #string(): string {
    const quote = this.#peek();
    const long = this.#source.startsWith(quote.repeat(3), this.#at);
    const end = long ? quote.repeat(3) : quote;
    this.#skip(end.length);
    const start = this.#at;
    while (this.#at < this.#source.length && !this.#source.startsWith(end, this.#at)) {
      this.#skip(quote === '"' && this.#peek() === "\\" ? 2 : 1);
    }
    const text = this.#source.slice(start, this.#at);
    this.#skip(end.length);
    // A long string may end in quotes of its own.
    while (long && this.#peek() === quote) this.#next();
    return text;
  }

  /** Spaces, line ends and comments. */
  #skipBlank(): void {
    for (;;) {
      const next = this.#peek();
      if (next === "#") while (this.#at < this.#source.length && this.#peek() !== "\n") this.#next();
      else if (next !== "" && /\s/.test(next)) this.#next();
      else return;
    }
  }

  #peek(): string {
    return this.#source[this.#at] ?? "";
  }

  #next(): void {
    if (this.#source[this.#at] === "\n") this.#line++;
    this.#at++;
  }

  #skip(count: number): void {
    for (let left = count; left > 0; left--) this.#next();
  }
}
