// Containers to measure: a bundle from busybox, docker's default config.json, started and removed.
import {
  cpSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { importTypeScript } from "../scripts/import-typescript.mjs";
import { must } from "./measure.mjs";

const { parseMemory } = await importTypeScript("tests/harness/memory.ts");

export const runtime = resolve("build/bin/kata-runtime");
export const configuration = resolve("build/configuration.toml");
/** kata-runtime with a configuration. @param {string} file */
export const kataWith = (file) => [runtime, "--config", file];
/** kata-runtime with the build's configuration. */
export const kata = kataWith(configuration);

/** @param {string[]} args @returns {import("node:child_process").SpawnSyncReturns<string>} */
export const kataRuntime = (...args) => must(runtime, ["--config", configuration, ...args]);

/** What daemon and agent of a container's sandbox report of their memory. @param {string} id @returns {import("../tests/harness/memory.ts").Memory} */
export const memoryOf = (id) => parseMemory(kataRuntime("metrics", id).stdout);

/** A bundle that runs args; the caller removes it. @param {string[]} args */
export const makeBundle = (args) => {
  const path = mkdtempSync(join(tmpdir(), "kata-bench-"));
  for (const folder of ["bin", "dev", "etc", "proc", "sys", "tmp"])
    mkdirSync(join(path, "rootfs", folder), { recursive: true });
  cpSync("/bin/busybox", join(path, "rootfs/bin/busybox"));
  for (const applet of ["sh", "true", "cat", "sleep", "dd", "head", "grep", "uname"])
    symlinkSync("busybox", join(path, "rootfs/bin", applet));
  const config = JSON.parse(readFileSync(new URL("./docker-config.json", import.meta.url), "utf8"));
  config.process.args = args;
  writeFileSync(join(path, "config.json"), JSON.stringify(config));
  return path;
};

/**
 * Runs `use` on a bundle that runs args.
 * @template T @param {string[]} args @param {(bundle: string) => T | Promise<T>} use @returns {Promise<T>}
 */
export const withBundle = async (args, use) => {
  const bundle = makeBundle(args);
  try {
    return await use(bundle);
  } finally {
    rmSync(bundle, { recursive: true, force: true });
  }
};

let count = 0;
/** A new container id. */
export const newId = () => `bench-${process.pid}-${++count}`;

/**
 * Runs `use` on a container that sleeps; then kills and deletes it.
 * @template T
 * @param {(container: {id: string, shimPid: number, daemonPid: number}) => T} use
 * @param {string} [file] the configuration, if not the build's
 */
export const withIdle = (use, file = configuration) => {
  const bundle = makeBundle(["sleep", "600"]);
  const id = newId();
  const pidFile = join(bundle, "pid");
  try {
    const create = `${kataWith(file).join(" ")} run --detach --pid-file ${pidFile} --bundle ${bundle} ${id}`;
    // kata-shim keeps the stdio it inherits: a pipe of ours would never end.
    must("/bin/sh", ["-c", `exec ${create} < /dev/null > /dev/null 2> /dev/null`]);
    return use({ id, shimPid: Number(readFileSync(pidFile, "utf8")), daemonPid: daemonOf(id) });
  } finally {
    must(runtime, ["--config", file, "delete", "--force", id]);
    rmSync(bundle, { recursive: true, force: true });
  }
};

/** The pid of the daemon that serves the sandbox. @param {string} id */
const daemonOf = (id) => {
  for (const entry of readdirSync("/proc").filter((name) => /^\d+$/.test(name))) {
    try {
      const argv = readFileSync(`/proc/${entry}/cmdline`, "utf8").split("\0");
      if (
        argv[0]?.endsWith("containerd-shim-kata-v2") &&
        argv.includes(id) &&
        readlinkSync(`/proc/${entry}/exe`)
      )
        return Number(entry);
    } catch {
      // it ended meanwhile
    }
  }
  throw new Error(`no daemon serves ${id}`);
};
