// containerd to measure, with its state in a directory of its own and the image `box`.
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, openSync, rmSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { importTypeScript } from "../scripts/import-typescript.mjs";
import { configuration, newId } from "./containers.mjs";
import { must } from "./measure.mjs";

const { writeImageArchive } = await importTypeScript("tests/harness/image.ts");
const { containerdConfig } = await importTypeScript("tests/harness/containerd-config.ts");

const IMAGE = "docker.io/library/box:latest";

/** @typedef {{
 *   run: (runtime: "runc" | "kata", words: string) => string,
 *   ctr: string,
 * }} Containerd  shell words: `ctr run` with a runtime, up to the id, and ctr itself
 */

/**
 * Starts containerd, and ends it after `use`.
 * @template T
 * @param {(containerd: Containerd) => T | Promise<T>} use
 * @param {string} [file] kata's configuration, if not the build's
 * @returns {Promise<T>}
 */
export async function withContainerd(use, file = configuration) {
  const directory = mkdtempSync("/var/tmp/kata-bench-containerd-");
  const socket = join(directory, "containerd.sock");
  writeFileSync(join(directory, "config.toml"), containerdConfig(directory));
  const env = {
    ...process.env,
    PATH: `${resolve("build/bin")}:${process.env.PATH}`,
    KATA_CONF_FILE: file,
  };
  const log = openSync(join(directory, "log"), "w");
  const daemon = spawn("containerd", ["--config", join(directory, "config.toml")], {
    env,
    stdio: ["ignore", log, log],
  });
  const ended = once(daemon, "exit");
  try {
    const ctr = `ctr -a ${socket}`;
    must("/bin/sh", ["-c", `until timeout 5 ${ctr} version > /dev/null 2>&1; do sleep 0.1; done`]);
    must("/bin/sh", ["-c", `${ctr} image import ${writeImageArchive(directory, { [IMAGE]: ["sh"] })}`]);
    const run = (/** @type {string} */ runtime, /** @type {string} */ words) =>
      `${ctr} run --runtime io.containerd.${runtime}.v2 ${words} ${IMAGE}`;
    return await use({ run, ctr });
  } finally {
    daemon.kill("SIGTERM");
    await ended;
    rmSync(directory, { recursive: true, force: true });
  }
}

/**
 * Runs `use` with a kata container that sleeps, then removes it.
 * @template T
 * @param {Containerd} containerd @param {(id: string) => T} use @param {string} [options] of ctr run
 */
export function withTask({ run, ctr }, use, options = "") {
  const id = newId();
  try {
    must("/bin/sh", ["-c", `${run("kata", `-d ${options}`)} ${id} sleep 600`]);
    return use(id);
  } finally {
    must("/bin/sh", ["-c", `${ctr} task rm -f ${id} > /dev/null 2>&1; ${ctr} container rm ${id}`]);
  }
}
