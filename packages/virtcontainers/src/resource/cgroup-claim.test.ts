import { mkdirSync, mkdtempSync, readdirSync, readlinkSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setOps } from "@kata-containers/sys";
import { afterEach, beforeEach, expect, test } from "vitest";
import { nodeFiles } from "../testing/node-files.ts";
import { claimCgroup, claimPath, releaseCgroup } from "./cgroup-claim.ts";

let directory = "";
let claim = "";
let a = "";
let b = "";
beforeEach(() => {
  setOps(nodeFiles());
  directory = mkdtempSync(join(tmpdir(), "claims-"));
  claim = join(directory, "cgroups", "c");
  [a, b] = [join(directory, "a"), join(directory, "b")];
  for (const state of [a, b]) mkdirSync(state);
});
afterEach(() => {
  setOps(undefined);
  rmSync(directory, { recursive: true });
});

test("of two sandboxes that want one cgroup the first gets it, and the other one is told whose it is", () => {
  claimCgroup("/docker/abc", claim, a);
  expect(() => claimCgroup("/docker/abc", claim, b)).toThrow(
    `cgroup /docker/abc: container's cgroup is not empty: it is that of sandbox ${a} (as ${claim}`,
  );
  claimCgroup("/docker/abc", claim, a);
});

test("only its owner gives it back, and then another one gets it", () => {
  claimCgroup("/docker/abc", claim, a);
  releaseCgroup(claim, b);
  expect(() => claimCgroup("/docker/abc", claim, b)).toThrow("not empty");
  releaseCgroup(claim, a);
  releaseCgroup(claim, a);
  claimCgroup("/docker/abc", claim, b);
  releaseCgroup(claim, b);
  expect(readdirSync(join(directory, "cgroups"))).toEqual([]);
});

test("a claim whose sandbox was removed by force is nobody's; one of a program's own sandbox, which has no directory, holds", () => {
  claimCgroup("/docker/abc", claim, a);
  rmSync(a, { recursive: true });
  claimCgroup("/docker/abc", claim, b);
  // Who finds out late takes nothing away.
  releaseCgroup(claim, a);
  expect(readlinkSync(claim)).toBe(b);
  releaseCgroup(claim, b);
  claimCgroup("/docker/abc", claim, "/run/vc/owner-1-2/x");
  expect(() => claimCgroup("/docker/abc", claim, b)).toThrow("that of sandbox /run/vc/owner-1-2/x");
});

test("a cgroup has one claim, whatever the sandbox", () => {
  expect(claimPath("/docker/abc")).toBe(claimPath("/docker/abc"));
  expect(claimPath("/docker/abc")).toMatch(/^\/run\/vc\/cgroups\/[0-9a-f]{16}$/);
  expect(claimPath("/docker/abc")).not.toBe(claimPath("/docker/abd"));
});
