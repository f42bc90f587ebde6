// dockerd to measure, on a host of its own (tests/harness/private-host.ts), with the image `box`.
import { spawnSync } from "node:child_process";
import { writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { importTypeScript } from "../scripts/import-typescript.mjs";
import { configuration, runtime } from "./containers.mjs";
import { must } from "./measure.mjs";

const { writeImage } = await importTypeScript("tests/harness/image.ts");
const { dockerConfig, dockerSocket } = await importTypeScript("tests/harness/docker-config.ts");
const { PrivateHost } = await importTypeScript("tests/harness/private-host.ts");

/**
 * Starts dockerd, and ends it after `use`.
 * @template T
 * @param {(docker: (words: string) => void) => T} use docker: runs it with these words, and throws when it fails
 * @param {string} [configurationFile] kata's configuration, if not the build's
 * @returns {Promise<T>}
 */
export async function withDocker(use, configurationFile = configuration) {
  if (spawnSync("dockerd", ["--version"]).error) throw new Error("dockerd not found (scripts/setup --full)");
  const host = await PrivateHost.start();
  try {
    const env = [
      `KATA_CONF_FILE=${configurationFile}`,
      `DOCKER_HOST=${dockerSocket(host.path)}`,
      `DOCKER_CONFIG=${host.path}/client`,
    ];
    /** @param {string} script */
    const shell = (script) => {
      const [program, ...args] = host.command("env", ...env, "sh", "-c", script);
      must(program, args);
    };
    const file = join(host.path, "daemon.json");
    writeFileSync(file, dockerConfig(host.path, host.cgroup, { kata: runtime }));
    shell(`setsid dockerd --config-file ${file} > ${host.path}/dockerd.log 2>&1 < /dev/null &
      until timeout 5 docker info > /dev/null 2>&1; do sleep 0.1; done
      docker import ${resolve(writeImage(host.path))} box`);
    return use((words) => shell(`exec docker ${words} < /dev/null > /dev/null`));
  } finally {
    await host[Symbol.asyncDispose]();
  }
}
