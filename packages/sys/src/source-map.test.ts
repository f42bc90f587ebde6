import { transformSync } from "esbuild";
import { expect, test } from "vitest";
import { SourceMap } from "./source-map.ts";

const SOURCE = `interface Gone { a: number }

export function first(): number {
  return 1;
}

export const second = (x: number): never => {
  throw new Error(String(x));
};
`;

test("a position in generated code leads to the line and column it was generated from", () => {
  const { code, map } = transformSync(SOURCE, { loader: "ts", sourcemap: true, sourcefile: "x.ts" });
  const lines = code.split("\n");
  const line = lines.findIndex((text) => text.includes("new Error")) + 1;
  const column = (lines[line - 1] ?? "").indexOf("new Error") + 1;
  expect(SourceMap.parse(map).find(line, column)).toEqual({ source: "x.ts", line: 8, column: 9 });
});

test("a column between two segments belongs to the one before it", () => {
  // AAAA: 0,0 from 0,0; IACA: column 4 from line 1, column 0.
  const map = SourceMap.parse(JSON.stringify({ sources: ["a.ts"], mappings: "AAAA,IACA" }));
  expect(map.find(1, 4)).toEqual({ source: "a.ts", line: 1, column: 1 });
  expect(map.find(1, 5)).toEqual({ source: "a.ts", line: 2, column: 1 });
  expect(map.find(1, 500)).toEqual({ source: "a.ts", line: 2, column: 1 });
});

test("negative and long fields are read", () => {
  // w+B is 1000 (0 + 1000 lines), D is -1.
  const map = SourceMap.parse(JSON.stringify({ sources: ["a.ts"], mappings: "AAw+BA;AADA" }));
  expect(map.find(1, 1)?.line).toBe(1001);
  expect(map.find(2, 1)?.line).toBe(1000);
});

test("a line without a mapping has no position", () => {
  const map = SourceMap.parse(JSON.stringify({ sources: ["a.ts"], mappings: ";AAAA" }));
  expect(map.find(1, 1)).toBeUndefined();
  expect(map.find(9, 1)).toBeUndefined();
});

test("what is no source map is refused", () => {
  expect(() => SourceMap.parse("{}")).toThrow(TypeError);
  expect(() => SourceMap.parse("junk")).toThrow(SyntaxError);
});
