import { kata, withIdle } from "../containers.mjs";
import { repeat, wallMs } from "../measure.mjs";

export const exec = {
  name: "exec",
  promise: "exec of true ≤ 0.25 s",
  measure: () =>
    withIdle(({ id }) => {
      const once = () =>
        wallMs("/bin/sh", ["-c", `exec ${[...kata, "exec", id, "true"].join(" ")} < /dev/null`]) / 1000;
      once();
      return repeat(() => ({ s: once() }), { samples: 15, digits: 3, share: ({ s }) => s / 0.25 });
    }),
};
