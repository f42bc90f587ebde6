import { ops } from "./ops.ts";
import { SourceMap } from "./source-map.ts";

let map: SourceMap | undefined | null = null;

/** The bundle's source map, read and parsed at the first stack that asks for it; undefined when there is none. */
function sourceMap(): SourceMap | undefined {
  if (map === null) {
    map = undefined;
    try {
      map = SourceMap.parse(ops.sourceMap());
    } catch {
      // Positions stay those of the bundle.
    }
  }
  return map;
}

/** The error's stack ("    at f (packages/…/x.ts:3:5)" lines) with bundle positions replaced by those of the TypeScript sources. */
export function mappedStack(error: Error): string {
  const stack = error.stack ?? "";
  if (!stack.includes("bundle:")) return stack;
  return stack.replace(/\bbundle:(\d+)(?::(\d+))?/g, (whole, line, column) => {
    const position = sourceMap()?.find(Number(line), Number(column ?? 1));
    return position === undefined ? whole : `${position.source}:${position.line}:${position.column}`;
  });
}

/** Name, message, stack, and the causes: what a developer needs. Several lines. */
export function describeError(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const own = `${error.name}: ${error.message}`;
  const stack = mappedStack(error);
  const frames = stack.startsWith(own) ? stack.slice(own.length).replace(/^\n/, "") : stack;
  const cause = error.cause === undefined ? "" : `\ncaused by ${describeError(error.cause)}`;
  return `${own}${frames === "" ? "" : `\n${frames.trimEnd()}`}${cause}`;
}
