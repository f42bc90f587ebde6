import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { kata, makeBundle, withIdle } from "../containers.mjs";
import { compare, inBatches } from "../measure.mjs";

/**
 * One command of ours against the same one of runc, in turn, each about a running container.
 * @param {string} name of the promise
 * @param {string[]} command "ID" stands for the container
 */
const against = (name, command) => ({
  name,
  promise: `${command.filter((word) => word !== "ID").join(" ")} ≤ 2 × runc's`,
  measure: () =>
    withIdle(({ id }) =>
      withRunc((runc, runcId) => {
        /** @param {string[]} program @param {string} container */
        const many = (program, container) => {
          const words = command.map((word) => (word === "ID" ? container : word));
          return inBatches(`${[...program, ...words].join(" ")} < /dev/null`, 10);
        };
        return compare(many(kata, id), many(runc, runcId), {
          ...{ limit: 2, pairs: 11 },
          ...{ name: "runc", unit: "ms", digits: 2 },
        });
      }),
    ),
});

/** @template T @param {(runc: string[], id: string) => T} use @returns {T} */
function withRunc(use) {
  const root = mkdtempSync(join(tmpdir(), "kata-bench-runc-"));
  const bundle = makeBundle(["sleep", "600"]);
  const id = `bench-runc-${process.pid}`;
  const runc = ["runc", "--root", root];
  try {
    execFileSync("runc", ["--root", root, "run", "--detach", "--bundle", bundle, id], { stdio: "ignore" });
    return use(runc, id);
  } finally {
    try {
      execFileSync("runc", ["--root", root, "delete", "--force", id], { stdio: "ignore" });
    } finally {
      rmSync(root, { recursive: true, force: true });
      rmSync(bundle, { recursive: true, force: true });
    }
  }
}

export const state = against("state", ["state", "ID"]);
export const list = against("list", ["list"]);
export const ps = against("ps", ["ps", "ID"]);
export const psJson = against("ps-json", ["ps", "--format", "json", "ID"]);
export const stats = against("stats", ["events", "--stats", "ID"]);
export const features = against("features", ["features"]);
