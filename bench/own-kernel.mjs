// The configuration that the promises about starts are for: the build's with our own guest kernel, and the factory that they are about.
import { chmodSync, existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { importPackage } from "../scripts/import-typescript.mjs";
import { configuration } from "./containers.mjs";

const { parseConfig, renderTemplate } = await importPackage("config");

export const ownKernel = resolve("build/guest/vmlinux-own");
const ownInitrd = resolve("build/guest/initrd-own.img");

/**
 * Runs `use` with such a configuration's path. What the factory makes is in a directory of memory, which goes with it.
 * @template T
 * @param {{enable_template?: boolean, vm_cache_number?: number}} factory keys of [factory]
 * @param {(file: string) => T | Promise<T>} use
 * @returns {Promise<T>}
 */
export async function withOwnKernel(factory, use) {
  if (!existsSync(ownKernel)) throw new Error(`${ownKernel} is not there: make guest-kernel`);
  const scratch = mkdtempSync("/dev/shm/kata-bench-");
  // Elsewhere: docker's host has a /dev/shm of its own (bench/docker.mjs), and its template in there.
  const folder = mkdtempSync(join(tmpdir(), "kata-bench-"));
  try {
    const file = join(folder, "configuration.toml");
    writeFileSync(file, changed({ template_path: join(scratch, "template"), ...cacheIn(scratch, factory) }));
    // Whatever the umask: a configuration that others can write is refused.
    chmodSync(file, 0o644);
    return await use(file);
  } finally {
    for (const each of [folder, scratch]) rmSync(each, { recursive: true, force: true });
  }
}

/** @param {string} scratch @param {{vm_cache_number?: number}} factory */
const cacheIn = (scratch, factory) =>
  factory.vm_cache_number === undefined
    ? factory
    : { ...factory, vm_cache_endpoint: join(scratch, "cache.sock") };

/** The build's configuration with our own kernel and these keys of [factory]. @param {object} factory */
function changed(factory) {
  const built = buildConfiguration();
  return renderTemplate({
    "hypervisor.qemu": { ...built.hypervisor, kernel: ownKernel, initrd: ownInitrd },
    "agent.kata": built.agent,
    runtime: built.runtime,
    factory,
  });
}

/** What the build's configuration says. @returns {import("@kata-containers/config").KataConfig} */
export const buildConfiguration = () => parseConfig(readFileSync(configuration, "utf8"), configuration);
