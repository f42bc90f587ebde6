import { withBareBoot } from "../bare-boot.mjs";
import { kata, kataRuntime, newId, withBundle, withIdle } from "../containers.mjs";
import { machineOfDaemon } from "../machine.mjs";
import { compare, shellSeconds } from "../measure.mjs";

export const run = {
  name: "run",
  promise: "run of true ≤ 1.5 × bare boot",
  measure() {
    const machine = withIdle(({ daemonPid }) => machineOfDaemon(daemonPid));
    return withBundle(["true"], (bundle) =>
      withBareBoot(machine, (bare) => {
        const ours = () => shellSeconds(`${kata.join(" ")} run --bundle ${bundle} ${newId()}`);
        const compared = compare(ours, bare, {
          ...{ limit: 1.5, pairs: 9 },
          ...{ name: "bare", unit: "s", digits: 2 },
        });
        const { stderr } = kataRuntime("run", "--timing", "--bundle", bundle, newId());
        return { ...compared, details: stderr };
      }),
    );
  },
};
