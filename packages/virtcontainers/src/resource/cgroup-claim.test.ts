import { mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setOps } from "@kata-containers/sys";
import { afterEach, beforeEach, expect, test } from "vitest";
import { nodeFiles } from "../testing/node-files.ts";
import { claimCgroup, claimPath, releaseCgroup } from "./cgroup-claim.ts";

let directory = "";
let claim = "";
beforeEach(() => {
  setOps(nodeFiles());
  directory = mkdtempSync(join(tmpdir(), "claims-"));
  claim = join(directory, "cgroups", "c");
});
afterEach(() => {
  setOps(undefined);
  rmSync(directory, { recursive: true });
});

test("of two sandboxes that want one cgroup the first gets it, and the other one is told whose it is", () => {
  claimCgroup("/docker/abc", claim, "/run/a");
  expect(() => claimCgroup("/docker/abc", claim, "/run/b")).toThrow(
    `cgroup /docker/abc: container's cgroup is not empty: it is that of sandbox /run/a (as ${claim}`,
  );
  claimCgroup("/docker/abc", claim, "/run/a");
});

test("only its owner gives it back, and then another one gets it", () => {
  claimCgroup("/docker/abc", claim, "/run/a");
  releaseCgroup(claim, "/run/b");
  expect(() => claimCgroup("/docker/abc", claim, "/run/b")).toThrow("not empty");
  releaseCgroup(claim, "/run/a");
  releaseCgroup(claim, "/run/a");
  claimCgroup("/docker/abc", claim, "/run/b");
  releaseCgroup(claim, "/run/b");
  expect(readdirSync(join(directory, "cgroups"))).toEqual([]);
});

test("a cgroup has one claim, whatever the sandbox", () => {
  expect(claimPath("/docker/abc")).toBe(claimPath("/docker/abc"));
  expect(claimPath("/docker/abc")).toMatch(/^\/run\/vc\/cgroups\/[0-9a-f]{16}$/);
  expect(claimPath("/docker/abc")).not.toBe(claimPath("/docker/abd"));
});
