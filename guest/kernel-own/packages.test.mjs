import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, it, vi } from "vitest";
import { installMissing } from "./packages.mjs";

/** The only directory with programs. */
let programs = "";

beforeEach(() => {
  programs = mkdtempSync(join(tmpdir(), "kata-packages-"));
  vi.stubEnv("PATH", programs);
});
afterEach(() => {
  vi.unstubAllEnvs();
  vi.restoreAllMocks();
  rmSync(programs, { recursive: true });
});

it("a system without dpkg is told what this needs, in one line", () => {
  expect(installMissing).toThrow(/^dpkg-query: ENOENT: this needs Debian 12\b.*$/);
});

it("a user who is not root, where there is no sudo, is told what to run", () => {
  writeFileSync(join(programs, "dpkg-query"), "#!/bin/sh\n", { mode: 0o755 });
  vi.spyOn(process, "getuid").mockReturnValue(1000);
  expect(installMissing).toThrow(/^sudo not found: run as root: apt-get install gcc .* perl$/);
});
