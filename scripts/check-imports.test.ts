import { spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterEach, beforeEach, expect, it } from "vitest";

/** Not written out below: this file is checked too. */
const BEHIND = "@kata-containers/b/src/b.ts";

let tree = "";
beforeEach(() => {
  tree = mkdtempSync(join(tmpdir(), "check-imports-"));
  write("packages/a/package.json", JSON.stringify({ dependencies: { "@kata-containers/b": "1" } }));
  write("packages/a/src/index.ts", 'import { b } from "@kata-containers/b";\nexport const a = b;');
  write("packages/b/package.json", "{}");
  write("packages/b/src/index.ts", 'export { b } from "./b.ts";');
  write("packages/b/src/b.ts", "export const b = 1;");
});
afterEach(() => rmSync(tree, { recursive: true }));

function write(path: string, text: string): void {
  mkdirSync(dirname(join(tree, path)), { recursive: true });
  writeFileSync(join(tree, path), text);
}

/** What the check says of the tree, line by line. */
function check(): string[] {
  const run = spawnSync(process.execPath, [join(import.meta.dirname, "check-imports.mjs"), tree], {
    encoding: "utf8",
  });
  const lines = run.stderr.split("\n").filter((line) => line !== "");
  expect(run.status).toBe(lines.length === 0 ? 0 : 1);
  return lines;
}

it("passes packages that import each other by name", () => {
  expect(check()).toEqual([]);
});

it.each([
  ["a statement", `import { b } from "${BEHIND}";`],
  ["a statement of several lines", `import {\n  b,\n} from "${BEHIND}";`],
  ["an export", `export * from "${BEHIND}";`],
  ["a dynamic import", `const { b } = await import("${BEHIND}");`],
])("refuses %s that reaches behind a package's index.ts", (_what, text) => {
  write("packages/a/src/x.ts", text);
  expect(check()).toEqual([
    "packages/a/src/x.ts: @kata-containers/b/src/b.ts reaches behind @kata-containers/b's index.ts",
  ]);
});

it("refuses a relative import that leaves the package", () => {
  write("packages/a/src/x.ts", 'await import("../../b/src/b.ts");');
  expect(check()).toEqual([
    "packages/a/src/x.ts: ../../b/src/b.ts leaves the package; import @kata-containers/<name>",
  ]);
});

it.each(["tests/deep/x.test.ts", "bench/deep/x.mjs"])("refuses what reaches behind from %s", (path) => {
  write(path, 'import type { b } from "../../packages/b/src/b.ts";');
  expect(check()).toEqual([
    `${path}: ../../packages/b/src/b.ts reaches behind @kata-containers/b's index.ts`,
  ]);
  write(path, 'await import("../../packages/b/src/b.ts");');
  expect(check()).toEqual([
    `${path}: ../../packages/b/src/b.ts reaches behind @kata-containers/b's index.ts`,
  ]);
  write(path, `import { b } from "${BEHIND}";`);
  expect(check()).toEqual([
    `${path}: @kata-containers/b/src/b.ts reaches behind @kata-containers/b's index.ts`,
  ]);
  write(path, 'import { b } from "@kata-containers/b";\nimport { c } from "@kata-containers/b/testing";');
  expect(check()).toEqual([]);
});

it("refuses a package's testing entry and Node's modules in product code, and not in tests", () => {
  const text = 'import "@kata-containers/b/testing";\nimport "node:fs";';
  write("packages/a/src/x.test.ts", text);
  expect(check()).toEqual([]);
  write("packages/a/src/x.ts", text);
  expect(check()).toEqual([
    "packages/a/src/x.ts: @kata-containers/b/testing reaches behind @kata-containers/b's index.ts",
    "packages/a/src/x.ts: product code must not import node:fs; use @kata-containers/sys",
  ]);
});

it("refuses what is not in package.json, and a circle", () => {
  write("packages/b/src/x.ts", 'import { a } from "@kata-containers/a";\nimport "left-pad";');
  expect(check()).toEqual([
    "packages/b/src/x.ts: @kata-containers/a is not in packages/b/package.json",
    "packages/b/src/x.ts: left-pad is not a dependency in packages/b/package.json",
    "packages import each other in a circle: a -> b -> a",
    "packages import each other in a circle: b -> a -> b",
  ]);
});
