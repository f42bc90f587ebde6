import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { type KataConfig, type Overrides, parseConfig, renderTemplate } from "@kata-containers/config";
import { cellConfiguration, cellNamed } from "./cells.ts";
import { SCRATCH_PREFIX } from "./host-things.ts";

/** What `make build` makes. */
export const repository = resolve(import.meta.dirname, "../..");
export const kataRuntime = join(repository, "build/bin/kata-runtime");
const builtConfiguration = join(repository, "build/configuration.toml");

if (!existsSync(kataRuntime)) throw new Error(`${kataRuntime} is not there: run make build first`);

/** The build's own configuration. */
export function buildConfiguration(): KataConfig {
  return parseConfig(readFileSync(builtConfiguration, "utf8"), builtConfiguration);
}

/** Writes the build's configuration with some keys changed, and returns its path. */
export function writeConfiguration(path: string, changes: Overrides): string {
  return writeConfigurationFrom(buildConfiguration(), path, changes);
}

/** The same with the keys of another configuration changed. */
export function writeConfigurationFrom(base: KataConfig, path: string, changes: Overrides): string {
  const { hypervisor, factory, agent, runtime } = base;
  const text = renderTemplate({
    "hypervisor.qemu": { ...hypervisor, ...changes["hypervisor.qemu"] },
    factory: { ...factory, ...changes.factory },
    "agent.kata": { ...agent, ...changes["agent.kata"] },
    runtime: { ...runtime, ...changes.runtime },
  });
  writeFileSync(path, text);
  return path;
}

/** A directory of a test's own, made when it is first asked for, and gone with it. */
export class Scratch implements Disposable {
  #path: string | undefined;

  /** Its name has none of a container id in it ("e2e-PID-7"), which the leak check looks for everywhere. */
  get path(): string {
    this.#path ??= mkdtempSync(join(tmpdir(), `${SCRATCH_PREFIX}${process.pid}-`));
    return this.#path;
  }

  join(...parts: string[]): string {
    return join(this.path, ...parts);
  }

  [Symbol.dispose](): void {
    if (this.#path !== undefined) rmSync(this.#path, { recursive: true, force: true });
  }
}

/** The configuration that tests run with: the build's own, or that of the cell of the matrix that KATA_TEST_CELL names. */
export const configurationFile = configurationOfCell(process.env.KATA_TEST_CELL);

/** What is in it. */
export function testConfiguration(): KataConfig {
  return parseConfig(readFileSync(configurationFile, "utf8"), configurationFile);
}

function configurationOfCell(name: string | undefined): string {
  if (name === undefined) return builtConfiguration;
  const path = join(repository, `build/test/configuration-${name}.toml`);
  return writeConfiguration(path, cellConfiguration(cellNamed(name)));
}
