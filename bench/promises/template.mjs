import { cpus } from "node:os";
import { withBareCopies } from "../bare-copy.mjs";
import { kataWith, newId, runtime, withBundle } from "../containers.mjs";
import { compare, must, shellSeconds } from "../measure.mjs";
import { withOwnKernel } from "../own-kernel.mjs";

/**
 * Runs `use` with a bundle that runs true, and a configuration whose sandboxes are copies of a template. It throws when they are not.
 * @param {(run: () => string) => import("../run.mjs").Verdict | Promise<import("../run.mjs").Verdict>} use
 *   run: the words of one more kata-runtime run, for a shell
 */
const withCopies = (use) =>
  withOwnKernel({ enable_template: true }, (file) =>
    withBundle(["true"], async (bundle) => {
      const words = ["run", "--bundle", bundle];
      // The first one makes the template.
      must(runtime, ["--config", file, ...words, newId()]);
      const verdict = await use(() => [...kataWith(file), ...words, newId()].join(" "));
      const { stderr } = must(runtime, ["--config", file, "run", "--timing", "--bundle", bundle, newId()]);
      if (stderr.includes("the VM boots")) throw new Error(`no copy of the template: ${stderr}`);
      return { ...verdict, details: stderr };
    }),
  );

export const templateRun = {
  name: "template-run",
  promise: "run from a template ≤ 0.5 s, ≤ 2 × bare",
  measure: () =>
    withCopies((run) =>
      withBareCopies((bare) =>
        compare(() => shellSeconds(run()), bare, {
          ...{ limit: 2, most: 0.5, pairs: 9 },
          ...{ name: "bare copy", unit: "s", digits: 2 },
        }),
      ),
    ),
};

const AT_ONCE = 20;

export const templateMany = {
  name: "template-many",
  promise: `${AT_ONCE} from a template at once ≤ 0.6 × one`,
  measure: () =>
    withCopies((run) => {
      const many = () => {
        const all = Array.from({ length: AT_ONCE }, () => `${run()} > /dev/null & pids="$pids $!"`);
        return onTwoCpus(`${all.join("\n")}\nfor pid in $pids; do wait $pid || exit 1; done`) / AT_ONCE;
      };
      return compare(many, () => onTwoCpus(run()), {
        ...{ limit: 0.6, pairs: 3 },
        ...{ name: "one", unit: "s each", digits: 2 },
      });
    }),
};

/** Seconds. @param {string} script for the shell */
function onTwoCpus(script) {
  const two = cpus().length > 2 ? "taskset --cpu-list 0,1 " : "";
  return shellSeconds(`${two}/bin/sh -c '${script}'`);
}
