import { spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import { kataWith, newId, runtime, withBundle } from "../containers.mjs";
import { must, repeat, shellSeconds } from "../measure.mjs";
import { withOwnKernel } from "../own-kernel.mjs";

export const factoryInit = {
  name: "factory-init",
  promise: "factory init ≤ 3 s",
  measure: () =>
    withOwnKernel({ enable_template: true }, (file) => {
      const init = `${kataWith(file).join(" ")} factory init`;
      return repeat(() => ({ s: shellSeconds(init) }), { samples: 6, digits: 2, share: ({ s }) => s / 3 });
    }),
};

const CACHED = 2;

/** What factory init writes when all are there. */
const INITIALIZED = "vm factory initialized";

/** Of factory status: one that waits for a sandbox. */
const WAITING = /^VM pid = \d+/gm;

export const cacheRun = {
  name: "cache-run",
  promise: "run from the cache ≤ 0.25 s",
  measure: () =>
    withOwnKernel({ vm_cache_number: CACHED }, (file) =>
      withBundle(["true"], (bundle) =>
        withCache(file, () => {
          const run = `${kataWith(file).join(" ")} run --bundle ${bundle}`;
          const sample = () => {
            awaitFull(file);
            return { s: shellSeconds(`${run} ${newId()}`) };
          };
          sample();
          const verdict = repeat(sample, { samples: 9, digits: 3, share: ({ s }) => s / 0.25 });
          awaitFull(file);
          return { ...verdict, details: timingOfOne(file, bundle) };
        }),
      ),
    ),
};

/** Throws when that one was not the cache's. @param {string} file the configuration @param {string} bundle */
export function timingOfOne(file, bundle) {
  const { stderr } = must(runtime, ["--config", file, "run", "--timing", "--bundle", bundle, newId()]);
  if (stderr.includes("no virtual machine of the cache")) throw new Error(stderr);
  return stderr;
}

/**
 * Runs `use` while the cache is served, and ends that after it.
 * @template T @param {string} file the configuration @param {() => T | Promise<T>} use @returns {Promise<T>}
 */
export async function withCache(file, use) {
  const server = spawn(runtime, ["--config", file, "factory", "init"], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  const ended = once(server, "exit");
  try {
    for await (const line of createInterface({ input: server.stdout }))
      if (line === INITIALIZED) return use();
    throw new Error("factory init ended before the cache was full");
  } finally {
    server.kill("SIGTERM");
    await ended;
  }
}

/** Waits until the cache has made another one for the one that was taken. @param {string} file the configuration */
export function awaitFull(file) {
  const until = performance.now() + 30_000;
  for (;;) {
    const { stdout } = must(runtime, ["--config", file, "factory", "status"]);
    if ((stdout.match(WAITING) ?? []).length === CACHED) return;
    if (performance.now() > until) throw new Error(`the cache is not full again: ${stdout.trim()}`);
    must("sleep", ["0.05"]);
  }
}
