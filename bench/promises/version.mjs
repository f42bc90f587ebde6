import { runtime } from "../containers.mjs";
import { compare, inBatches } from "../measure.mjs";

export const version = {
  name: "version",
  promise: "≤ 1.2 × runc --version",
  measure: () =>
    compare(inBatches(`${runtime} --version`, 20), inBatches("runc --version", 20), {
      ...{ limit: 1.2, pairs: 11 },
      ...{ name: "runc", unit: "ms", digits: 2 },
    }),
};
