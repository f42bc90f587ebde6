import type { SeccompSyscall } from "@kata-containers/oci";
import type { Verdict } from "./action.ts";
import { type Condition, parseCondition } from "./condition.ts";

/** What a filter returns for a call when every condition holds. */
export type Rule = {
  readonly verdict: Verdict;
  readonly conditions: readonly Condition[];
  /** ".syscalls[3]", for errors. */
  readonly path: string;
};

/**
 * The rules of one entry of `syscalls`: one, whose conditions must all hold, by the index of their argument. When two of
 * them are about the same argument each is a rule of its own, so that any of them suffices: runc has always done so.
 */
export function parseRules(entry: SeccompSyscall, verdict: Verdict, path: string): readonly Rule[] {
  const conditions = (entry.args ?? []).map((arg, at) => parseCondition(arg, `${path}.args[${at}]`));
  if (new Set(conditions.map((condition) => condition.index)).size < conditions.length) {
    return conditions.map((condition) => ({ verdict, conditions: [condition], path }));
  }
  return [{ verdict, conditions: conditions.sort((a, b) => a.index - b.index), path }];
}
