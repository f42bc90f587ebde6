import { runtime } from "../containers.mjs";
import { compare, median, withSpread } from "../measure.mjs";

export const version = {
  name: "version",
  promise: "≤ 1.2 × runc --version",
  measure() {
    const { a, b, ratios } = compare(`${runtime} --version`, "runc --version");
    return {
      figure: `${median(ratios).toFixed(2)} ×, ${withSpread(a)} ms`,
      baseline: `runc ${withSpread(b)} ms`,
      used: median(ratios) / 1.2,
    };
  },
};
