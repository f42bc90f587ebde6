import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { LaunchPlan, Step, StepList } from "@kata-containers/launch";
import { type Bundle, LAUNCH, type Result } from "./bundle.ts";

/** A step of a plan, by its list and its number there. */
export type Place = { readonly list: StepList; readonly index: number; readonly step: Step };

/** Has kata-launch get another plan than runk has made: one with a step in it that fails. */
export class PlanFaults {
  readonly #bundle: Bundle;
  readonly #plan: string;

  /** @param bundle its containers are launched by a script from now on, one of ours */
  constructor(bundle: Bundle) {
    this.#bundle = bundle;
    this.#plan = join(bundle.path, "plan.json");
    bundle.launch = join(bundle.path, "kata-launch");
  }

  /** @returns the plan of what `command` launches, which fails then */
  record(command: () => Result): LaunchPlan {
    this.#script(`cat <&3 > ${this.#plan}; exit 1`);
    command();
    return JSON.parse(readFileSync(this.#plan, "utf8"));
  }

  /** Launches with a step in place of that at `place` which fails. */
  inject(plan: LaunchPlan, place: Place, command: () => Result): Result {
    const steps = plan[place.list].with(place.index, broken(place.step));
    writeFileSync(this.#plan, JSON.stringify({ ...plan, [place.list]: steps }));
    this.#script(`exec ${LAUNCH} 3< ${this.#plan}`);
    return command();
  }

  #script(text: string): void {
    writeFileSync(this.#bundle.launch, `#!/bin/sh\n${text}\n`, { mode: 0o755 });
  }
}

/** A step that fails: one that kata-launch names itself, as it is but for what it works on; in place of any other one that fails with ENOENT. */
function broken(step: Step): Step {
  switch (step.op) {
    case "hook":
      return { ...step, path: "/runk-test-fault" };
    case "seccomp":
      return { ...step, flags: 2 ** 31 };
    case "wait":
    case "report_to":
      return { ...step, fd: "runk-test-fault" };
    default:
      return { op: "chdir", path: "/runk-test-fault" };
  }
}

/** All steps of a plan. */
export function placesOf(plan: LaunchPlan): Place[] {
  const lists = ["parent", "stage", "init"] as const;
  return lists.flatMap((list) => plan[list].map((step, index) => ({ list, index, step })));
}
