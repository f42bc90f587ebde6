import { rmSync } from "node:fs";
import { kata, makeBundle, newId } from "../containers.mjs";
import { withDocker } from "../docker.mjs";
import { compare, wallMs } from "../measure.mjs";

export const dockerRun = {
  name: "docker-run",
  promise: "docker run of true less runc's ≤ 1.3 × run",
  measure: () =>
    withDocker((docker) => {
      const bundle = makeBundle(["true"]);
      /** Seconds. @param {"runc" | "kata"} runtime */
      const once = (runtime) => {
        const started = performance.now();
        docker(`run --rm --network bridge --runtime ${runtime} box true`);
        return (performance.now() - started) / 1000;
      };
      const run = () => {
        const command = `${kata.join(" ")} run --bundle ${bundle} ${newId()}`;
        return wallMs("/bin/sh", ["-c", `exec ${command} < /dev/null > /dev/null`]) / 1000;
      };
      try {
        return compare(() => once("kata") - once("runc"), run, {
          ...{ limit: 1.3, pairs: 9 },
          ...{ name: "run", unit: "s", digits: 2 },
        });
      } finally {
        rmSync(bundle, { recursive: true, force: true });
      }
    }),
};
