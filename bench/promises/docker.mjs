import { kata, newId, withBundle } from "../containers.mjs";
import { withDocker } from "../docker.mjs";
import { compare, lessRunc, shellSeconds } from "../measure.mjs";
import { withOwnKernel } from "../own-kernel.mjs";

/**
 * Seconds that docker takes to run true.
 * @param {(words: string) => void} docker @param {"runc" | "kata"} runtime
 */
const secondsOf = (docker, runtime) => {
  const started = performance.now();
  docker(`run --rm --network bridge --runtime ${runtime} box true`);
  return (performance.now() - started) / 1000;
};

export const dockerRun = {
  name: "docker-run",
  promise: "docker run of true less runc's ≤ 1.3 × run",
  measure: () =>
    withDocker((docker) =>
      withBundle(["true"], (bundle) =>
        compare(
          () => secondsOf(docker, "kata") - secondsOf(docker, "runc"),
          () => shellSeconds(`${kata.join(" ")} run --bundle ${bundle} ${newId()}`),
          { limit: 1.3, pairs: 9, name: "run", unit: "s", digits: 2 },
        ),
      ),
    ),
};

export const templateDocker = {
  name: "template-docker",
  promise: "docker run from a template less runc's ≤ 0.9 s",
  measure: () =>
    withOwnKernel({ enable_template: true }, (file) =>
      withDocker((docker) => {
        // The first one makes the template.
        secondsOf(docker, "kata");
        return lessRunc((runtime) => secondsOf(docker, runtime), 0.9);
      }, file),
    ),
};
