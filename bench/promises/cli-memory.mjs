import { rmSync } from "node:fs";
import { kata, kataRuntime, makeBundle, newId } from "../containers.mjs";
import { peakRssKb } from "../measure.mjs";

const limitKb = 6 * 1024;

export const cliMemory = {
  name: "cli-memory",
  promise: "create, state, exec, list ≤ 6 MB",
  measure() {
    const bundle = makeBundle(["sleep", "600"]);
    const id = newId();
    /** @param {string[]} args */
    const peak = (...args) => peakRssKb([...kata, ...args].join(" "));
    try {
      const create = peak("create", "--bundle", bundle, id);
      kataRuntime("start", id);
      const peaks = { create, state: peak("state", id), exec: peak("exec", id, "true"), list: peak("list") };
      const figure = Object.entries(peaks).map(([name, kb]) => `${name} ${(kb / 1024).toFixed(1)}`);
      return { figure: `${figure.join(", ")} MB`, used: Math.max(...Object.values(peaks)) / limitKb };
    } finally {
      kataRuntime("delete", "--force", id);
      rmSync(bundle, { recursive: true, force: true });
    }
  },
};
