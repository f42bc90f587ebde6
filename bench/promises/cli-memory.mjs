import { rmSync } from "node:fs";
import { kata, kataRuntime, makeBundle, newId } from "../containers.mjs";
import { peakRssKb, repeat } from "../measure.mjs";

const limitMb = 6;

export const cliMemory = {
  name: "cli-memory",
  promise: "create, state, exec, list ≤ 6 MB",
  measure() {
    const bundle = makeBundle(["sleep", "600"]);
    try {
      return repeat(() => peaks(bundle), {
        samples: 6,
        digits: 1,
        share: (figures) => Math.max(...Object.values(figures)) / limitMb,
      });
    } finally {
      rmSync(bundle, { recursive: true, force: true });
    }
  },
};

/** Of each command about a container of its own. @param {string} bundle */
function peaks(bundle) {
  const id = newId();
  /** @param {string[]} args */
  const peakMb = (...args) => peakRssKb([...kata, ...args].join(" ")) / 1024;
  try {
    const create = peakMb("create", "--bundle", bundle, id);
    kataRuntime("start", id);
    return {
      "MB create": create,
      "MB state": peakMb("state", id),
      "MB exec": peakMb("exec", id, "true"),
      "MB list": peakMb("list"),
    };
  } finally {
    kataRuntime("delete", "--force", id);
  }
}
