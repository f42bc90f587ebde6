import type { Verdict } from "./action.ts";
import type { Architecture } from "./architecture.ts";
import { type Multiplexer, parseMultiplexers, throughMultiplexer } from "./multiplexed.ts";
import { refuse } from "./refuse.ts";
import type { Rule } from "./rule.ts";
import { orderRules } from "./rule-order.ts";

/** What a profile says of one call: a verdict, or rules to try in turn. */
export type CallRules = Verdict | readonly Rule[];

/** Each rule is an instruction at least, and no filter has more. */
const MAX_RULES_OF_A_CALL = 4096;
/** More calls than any architecture numbers; x32's own end at 547. */
const CALLS = 1024;
const UNDECIDED = -1;

/** The rules of one architecture, gathered by the numbers of its calls. Typed arrays, for a profile has a thousand of them. */
export class RuleTable {
  readonly architecture: Architecture;
  readonly #syscalls: Map<string, number>;
  readonly #multiplexers: ReadonlyMap<string, Multiplexer>;
  /** What is returned whatever the arguments are, by index in the table: a verdict, or UNDECIDED. */
  readonly #verdicts = new Float64Array(CALLS).fill(UNDECIDED);
  /** Rules with conditions, of calls without a verdict. */
  readonly #rules = new Map<number, Rule[]>();
  #newest = UNDECIDED;

  constructor(architecture: Architecture) {
    this.architecture = architecture;
    this.#syscalls = architecture.syscalls();
    this.#multiplexers = architecture.multiplexed ? parseMultiplexers() : new Map();
  }

  /** The highest number among the calls named so far, those without rules too: what the profile's author knew of; 0 for none. */
  get newest(): number {
    return this.#newest === UNDECIDED ? 0 : this.#newest + this.architecture.numberBase;
  }

  /** Adds the rules, or none, of a call. Returns whether the architecture has it. */
  add(name: string, rules: readonly Rule[]): boolean {
    const index = this.#syscalls.get(name);
    if (index !== undefined) {
      this.#addTo(index, rules);
    }
    const through = this.#multiplexers.get(name);
    if (through === undefined) {
      return index !== undefined;
    }
    const multiplexer = this.#syscalls.get(through.name);
    if (multiplexer !== undefined) {
      this.#addTo(
        multiplexer,
        rules.map((rule) => throughMultiplexer(rule, through.selector)),
      );
    }
    return true;
  }

  /** Visits what the filter does, in the order of call numbers. */
  forEach(visit: (number: number, rules: CallRules) => void): void {
    const { numberBase, bits } = this.architecture;
    for (let index = 0; index <= this.#newest; index += 1) {
      const verdict = this.#verdicts[index] ?? UNDECIDED;
      if (verdict !== UNDECIDED) {
        visit(index + numberBase, verdict);
        continue;
      }
      const rules = this.#rules.get(index);
      if (rules !== undefined) {
        visit(index + numberBase, orderRules(rules, bits));
      }
    }
  }

  #addTo(index: number, rules: readonly Rule[]): void {
    if (index >= CALLS) {
      throw new RangeError(`call ${index}: the table is made for ${CALLS}`);
    }
    if (index > this.#newest) {
      this.#newest = index;
    }
    for (const rule of rules) {
      if (this.#verdicts[index] !== UNDECIDED) {
        return; // the first rule without conditions decides, wherever it stands
      }
      const kept = this.#withoutIdleConditions(rule);
      if (kept.conditions.length === 0) {
        this.#decide(index, kept.verdict);
      } else {
        this.#addConditional(index, kept);
      }
    }
  }

  #decide(index: number, verdict: Verdict): void {
    const before = this.#rules.get(index);
    if (before !== undefined) {
      orderRules(before, this.architecture.bits); // contradictions among those before it are told all the same
      this.#rules.delete(index);
    }
    this.#verdicts[index] = verdict;
  }

  #addConditional(index: number, rule: Rule): void {
    const rules = this.#rules.get(index);
    if (rules === undefined) {
      this.#rules.set(index, [rule]);
    } else if (rules.push(rule) > MAX_RULES_OF_A_CALL) {
      refuse(rule.path, `more than ${MAX_RULES_OF_A_CALL} rules for one call: no filter holds them`);
    }
  }

  /** Leaves out conditions that look at no bit, and so always hold. */
  #withoutIdleConditions(rule: Rule): Rule {
    if (rule.conditions.length === 0) {
      return rule;
    }
    const seen = this.architecture.bits === 32 ? 0xffffffffn : -1n;
    const conditions = rule.conditions.filter((condition) => (condition.mask & seen) !== 0n);
    return conditions.length === rule.conditions.length ? rule : { ...rule, conditions };
  }
}
