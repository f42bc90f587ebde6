/** A position in a source file; line and column count from 1. */
export interface SourcePosition {
  readonly source: string;
  readonly line: number;
  readonly column: number;
}

const DIGITS = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/** A source map of revision 3 (ECMA-426), as much of it as finding a position takes. */
export class SourceMap {
  readonly #sources: readonly string[];
  readonly #mappings: string;

  private constructor(sources: readonly string[], mappings: string) {
    this.#sources = sources;
    this.#mappings = mappings;
  }

  /** Throws SyntaxError or TypeError on what is no source map. */
  static parse(json: string): SourceMap {
    const parsed: { sources?: unknown; mappings?: unknown } = JSON.parse(json);
    const { sources, mappings } = parsed;
    if (!Array.isArray(sources) || typeof mappings !== "string") throw new TypeError("not a source map");
    return new SourceMap(sources.map(String), mappings);
  }

  /** Source position of a generated one (both from 1); undefined when that line has none. */
  find(line: number, column: number): SourcePosition | undefined {
    // Fields are relative to the segment before, across lines: so all of them are read, up to the one asked for.
    let source = 0;
    let sourceLine = 0;
    let sourceColumn = 0;
    let found: SourcePosition | undefined;
    let generatedLine = 1;
    for (const group of this.#mappings.split(";")) {
      let generatedColumn = 0;
      for (const segment of group === "" ? [] : group.split(",")) {
        const fields = decodeVlq(segment);
        generatedColumn += fields[0] ?? 0;
        if (generatedLine === line && generatedColumn > column - 1 && found !== undefined) return found;
        if (fields.length < 4) continue;
        source += fields[1] ?? 0;
        sourceLine += fields[2] ?? 0;
        sourceColumn += fields[3] ?? 0;
        if (generatedLine === line) {
          found = { source: this.#sources[source] ?? "?", line: sourceLine + 1, column: sourceColumn + 1 };
        }
      }
      if (generatedLine++ === line) return found;
    }
    return undefined;
  }
}

/** Base-64 VLQ: least significant group first, bit 5 = another group follows, lowest bit of the value = sign. */
function decodeVlq(segment: string): number[] {
  const values: number[] = [];
  let value = 0;
  let shift = 0;
  for (const character of segment) {
    const digit = DIGITS.indexOf(character);
    value += (digit & 31) << shift;
    shift += 5;
    if ((digit & 32) === 0) {
      values.push(value & 1 ? -(value >>> 1) : value >>> 1);
      value = 0;
      shift = 0;
    }
  }
  return values;
}
