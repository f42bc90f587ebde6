import { execFileSync, spawnSync } from "node:child_process";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Seccomp } from "@kata-containers/oci";
import { afterAll, beforeAll, expect, test } from "vitest";
import { compileSeccomp, type NativeArch } from "./index.ts";
import { CProgram } from "./testing/c-program.ts";

const ARCH: NativeArch = process.arch === "arm64" ? "aarch64" : "x86_64";
const GETPID = { x86_64: 39, aarch64: 172 }[ARCH];
const GETPRIORITY = { x86_64: 140, aarch64: 141 }[ARCH];
const UNSHARE = { x86_64: 272, aarch64: 97 }[ARCH];
const CLONE_NEWUSER = 0x10000000;
const [EPERM, ENOSYS] = [1, 38];

let loader: CProgram;
beforeAll(() => {
  loader = new CProgram("filter-loader.c");
});
afterAll(() => loader?.[Symbol.dispose]());

/** The errno of each call under the filter, made by a process that has loaded it. */
function errnos(seccomp: Seccomp, ...calls: readonly (readonly [number, number])[]): number[] {
  const { program, flags } = compileSeccomp(seccomp, ARCH);
  const path = join(loader.directory, "filter");
  writeFileSync(path, program);
  const args = [path, `${flags}`, ...calls.map(([number, argument]) => `${number},${argument}`)];
  return execFileSync(loader.path, args, { encoding: "utf8", timeout: 10_000 })
    .trim()
    .split("\n")
    .map(Number);
}

test("the kernel takes a filter, and denies what it denies", () => {
  const args = [{ index: 0, value: 1, op: "SCMP_CMP_EQ" }];
  const syscalls = [{ names: ["getpriority"], action: "SCMP_ACT_ERRNO", errnoRet: 77, args }];
  const seccomp = { defaultAction: "SCMP_ACT_ALLOW", syscalls };
  expect(errnos(seccomp, [GETPRIORITY, 0], [GETPRIORITY, 1], [GETPID, 0])).toEqual([0, 77, 0]);
});

test("under docker's default profile a process runs, may not unshare, and finds newer calls missing", () => {
  const config = JSON.parse(
    readFileSync(new URL("../../../bench/docker-config.json", import.meta.url), "utf8"),
  );
  expect(errnos(config.linux.seccomp, [GETPID, 0], [UNSHARE, CLONE_NEWUSER], [999, 0])).toEqual([
    0,
    EPERM,
    ENOSYS,
  ]);
});

test("the kernel kills a process for a call that the filter kills", () => {
  const syscalls = [{ names: ["getpriority"], action: "SCMP_ACT_KILL_PROCESS" }];
  const { program, flags } = compileSeccomp({ defaultAction: "SCMP_ACT_ALLOW", syscalls }, ARCH);
  const path = join(loader.directory, "killer");
  writeFileSync(path, program);
  const result = spawnSync(loader.path, [path, `${flags}`, `${GETPRIORITY},0`], { timeout: 10_000 });
  expect(result.signal).toBe("SIGSYS");
});
