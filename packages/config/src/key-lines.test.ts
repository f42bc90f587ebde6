import { describe, expect, it } from "vitest";
import { keyLines, keyPath } from "./key-lines.ts";

const lineOf = (source: string, ...path: string[]) => keyLines(source).get(keyPath(...path));

describe("keyLines", () => {
  it("finds keys below their table, past comments and blank lines", () => {
    const source = "# first\n\n[a.b] # [x]\nc = 1\n\n  d = 'x' # e = 2\n[f]\ng = 2";
    expect(lineOf(source, "a", "b")).toBe(3);
    expect(lineOf(source, "a", "b", "c")).toBe(4);
    expect(lineOf(source, "a", "b", "d")).toBe(6);
    expect(lineOf(source, "f", "g")).toBe(8);
    expect(lineOf(source, "a", "b", "e")).toBeUndefined();
  });

  it("is not led astray by strings and arrays of several lines", () => {
    const source = `a = """\nb = 1\n"""\nc = [\n  "]", # d = 1\n  'x',\n]\ne = '''\n[f]\n'''\ng = "\\"\\\\" \nh = 1`;
    expect(lineOf(source, "b")).toBeUndefined();
    expect(lineOf(source, "c")).toBe(4);
    expect(lineOf(source, "e")).toBe(8);
    expect(lineOf(source, "h")).toBe(12);
  });

  it("finds dotted and quoted keys, and those of inline tables", () => {
    const source = `x = 1\n"a".b.'c' = { d = 1, e = [ { f = 2 } ] }\nz = 3`;
    expect(lineOf(source, "a", "b", "c", "d")).toBe(2);
    expect(lineOf(source, "a", "b", "c", "e", "f")).toBe(2);
    expect(lineOf(source, "z")).toBe(3);
  });

  it.each(["[", "a", "a = [", "a = {", '"', "a = '''", "= = =", "a =", "]]]"])(
    "ends on %j, which is no TOML",
    (source) => {
      keyLines(source);
    },
  );
});
