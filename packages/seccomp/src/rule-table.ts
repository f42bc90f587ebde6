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

/** The rules of one architecture, gathered by the numbers of its calls. */
export class RuleTable {
  readonly architecture: Architecture;
  readonly #syscalls: Map<string, number>;
  readonly #multiplexers: ReadonlyMap<string, Multiplexer>;
  readonly #rules = new Map<number, Rule[]>();
  #newest = 0;

  constructor(architecture: Architecture) {
    this.architecture = architecture;
    this.#syscalls = architecture.syscalls();
    this.#multiplexers = architecture.multiplexed ? parseMultiplexers() : new Map();
  }

  /** The highest number among the calls named so far, those without rules too: what the profile's author knew of; 0 for none. */
  get newest(): number {
    return this.#newest;
  }

  /** Adds the rules, or none, of a call. Returns whether the architecture has it. */
  add(name: string, rules: readonly Rule[]): boolean {
    const through = this.#multiplexers.get(name);
    if (through !== undefined) {
      this.#addTo(
        this.#syscalls.get(through.name),
        rules.map((rule) => throughMultiplexer(rule, through.selector)),
      );
    }
    const index = this.#syscalls.get(name);
    this.#addTo(index, rules);
    return index !== undefined || through !== undefined;
  }

  /** What the filter does, in the order of call numbers. The first rule without conditions decides, wherever it stands. */
  *calls(): Generator<readonly [number, CallRules]> {
    for (const number of Uint32Array.from(this.#rules.keys()).sort()) {
      const rules = this.#rules.get(number) ?? [];
      const plain = rules.findIndex((rule) => rule.conditions.length === 0);
      // Contradictions among those before it are told all the same.
      const conditional = plain === -1 ? rules : rules.slice(0, plain);
      const ordered = conditional.length === 0 ? [] : orderRules(conditional, this.architecture.bits);
      yield [number, rules[plain]?.verdict ?? ordered];
    }
  }

  #addTo(index: number | undefined, rules: readonly Rule[]): void {
    if (index === undefined) {
      return;
    }
    const number = index + this.architecture.numberBase;
    this.#newest = Math.max(this.#newest, number);
    if (rules.length === 0) {
      return;
    }
    const others = this.#rules.get(number);
    const all = others ?? [];
    if (others === undefined) {
      this.#rules.set(number, all);
    }
    for (const rule of rules) {
      if (all.push(this.#withoutIdleConditions(rule)) > MAX_RULES_OF_A_CALL) {
        refuse(rule.path, `more than ${MAX_RULES_OF_A_CALL} rules for one call: no filter holds them`);
      }
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
