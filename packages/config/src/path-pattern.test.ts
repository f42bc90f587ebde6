import { describe, expect, it } from "vitest";
import { isPlainPath, matchesPathPattern, pathPatternObstacle } from "./path-pattern.ts";

describe("matchesPathPattern", () => {
  it.each([
    ["/usr/bin/qemu", "/usr/bin/qemu"],
    ["/usr/bin/qemu-system-x86_64", "/usr/bin/qemu-*"],
    ["/usr/bin/qemu-system-x86_64", "/usr/*/*sys*64"],
    ["/usr/bin/.hidden", "/usr/bin/*"],
    ["/a/b1", "/a/b?"],
    ["/a/b1", "/a/b[0-9]"],
    ["/a/b-", "/a/b[x-]"],
    ["/a/b]", "/a/b[]]"],
    ["/a/bx", "/a/b[!0-9]"],
    ["/a/bx", "/a/b[^]0-9]"],
    ["/a/*", "/a/\\*"],
    ["/a/[b", "/a/\\[b"],
    ["/aXbXc/Xd", "/a*b*c/*d"],
    ["/a/äö", "/a/ä?"],
    ["/a/.+(x)", "/a/.+(x)"],
  ])("%s is one of %s", (path, pattern) => {
    expect(matchesPathPattern(path, pattern)).toBe(true);
  });

  it.each([
    ["/usr/bin/qemu2", "/usr/bin/qemu"],
    ["/x/usr/bin/qemu", "/usr/bin/qemu"],
    ["/usr/bin/sub/qemu", "/usr/bin/*"],
    ["/usr/bin/sub/qemu", "/usr/*/qemu"],
    ["/usr/bin", "/usr/bin/*"],
    ["/a/b", "/a/b?"],
    ["/a/bx", "/a/b[0-9]"],
    ["/a/b1", "/a/b[!0-9]"],
    ["/a/xx", "/a/\\*"],
    ["/axbx", "/a*b*c"],
    ["/a/b", ""],
  ])("%s is none of %s", (path, pattern) => {
    expect(matchesPathPattern(path, pattern)).toBe(false);
  });

  it("ends soon whatever the path and the pattern are", () => {
    expect(matchesPathPattern(`/${"a".repeat(4000)}`, `/${"a*".repeat(50)}b`)).toBe(false);
  });
});

it.each([
  ["usr/bin/*", "is not absolute"],
  ["/a/[b", "has a bracket or a backslash without its end"],
  ["/a/[b/c]", "has a bracket or a backslash without its end"],
  ["/a/b\\", "has a bracket or a backslash without its end"],
  ["/a/[b]\\*?", undefined],
])("what is wrong with %s: %s", (pattern, obstacle) => {
  expect(pathPatternObstacle(pattern)).toBe(obstacle);
});

it.each([
  ["/a/b", true],
  ["/a/..b/.c", true],
  ["a/b", false],
  ["/", false],
  ["", false],
  ["/a//b", false],
  ["/a/", false],
  ["/a/./b", false],
  ["/a/../b", false],
  ["/..", false],
  ["/a\nb", false],
])("%j is a plain path: %s", (path, plain) => {
  expect(isPlainPath(path)).toBe(plain);
});
