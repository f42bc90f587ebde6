import { withBareBoot } from "../bare-boot.mjs";
import { kataWith, newId, withBundle, withIdle } from "../containers.mjs";
import { machineOfDaemon } from "../machine.mjs";
import { repeat, shellSeconds } from "../measure.mjs";
import { ownKernel, withOwnKernel } from "../own-kernel.mjs";

const limitSeconds = 0.35;

export const startOverhead = {
  name: "start-overhead",
  promise: "run less bare boot ≤ 0.35 s",
  measure: () =>
    withOwnKernel({}, (file) =>
      withBundle(["true"], (bundle) => {
        const machine = withIdle(({ daemonPid }) => machineOfDaemon(daemonPid), file);
        const ours = () => shellSeconds(`${kataWith(file).join(" ")} run --bundle ${bundle} ${newId()}`);
        return withBareBoot(machine, (bare) => measure(ours, bare), ownKernel);
      }),
    ),
};

/** In turn. @param {() => number} ours seconds @param {() => number} bare */
function measure(ours, bare) {
  const once = () => {
    const [run, boot] = [ours(), bare()];
    return { "s more": run - boot, "s run": run, "s bare": boot };
  };
  once();
  return repeat(once, {
    samples: 9,
    digits: 2,
    share: (figures) => figures["s more"] / limitSeconds,
  });
}
