import { kata, withIdle } from "../containers.mjs";
import { median, wallMs, withSpread } from "../measure.mjs";

export const exec = {
  name: "exec",
  promise: "exec of true ≤ 0.25 s",
  measure: () =>
    withIdle(({ id }) => {
      const once = () =>
        wallMs("/bin/sh", ["-c", `exec ${[...kata, "exec", id, "true"].join(" ")} < /dev/null`]) / 1000;
      once();
      const seconds = Array.from({ length: 15 }, once);
      return { figure: `${withSpread(seconds, 3)} s`, used: median(seconds) / 0.25 };
    }),
};
