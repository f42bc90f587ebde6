import type { Verdict } from "./action.ts";
import type { Architecture } from "./architecture.ts";
import { multiplexer, throughMultiplexer } from "./multiplexed.ts";
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
  readonly #rules = new Map<number, Rule[]>();
  #newest = 0;

  constructor(architecture: Architecture) {
    this.architecture = architecture;
    this.#syscalls = architecture.syscalls();
  }

  /** Whether the architecture has a call of that name, in whatever way. */
  knows(name: string): boolean {
    return this.#syscalls.has(name) || this.#multiplexer(name) !== undefined;
  }

  /** The highest number among the calls mentioned; 0 for none. */
  get newest(): number {
    return this.#newest;
  }

  /** A profile names the call, so its author knew of calls up to this number, and that of its multiplexer. */
  mention(name: string): void {
    for (const way of [name, this.#multiplexer(name)?.name]) {
      const number = way === undefined ? undefined : this.#syscalls.get(way);
      if (number !== undefined) {
        this.#newest = Math.max(this.#newest, number + this.architecture.numberBase);
      }
    }
  }

  add(name: string, rules: readonly Rule[]): void {
    const through = this.#multiplexer(name);
    if (through !== undefined) {
      this.#addTo(
        through.name,
        rules.map((rule) => throughMultiplexer(rule, through.selector)),
      );
    }
    this.#addTo(name, rules);
  }

  /** What the filter does, by call number. The first rule without conditions decides, wherever it stands. */
  *calls(): Generator<readonly [number, CallRules]> {
    for (const [number, rules] of this.#rules) {
      const plain = rules.findIndex((rule) => rule.conditions.length === 0);
      const ordered = orderRules(plain === -1 ? rules : rules.slice(0, plain), this.architecture.bits);
      yield [number, rules[plain]?.verdict ?? ordered];
    }
  }

  #multiplexer(name: string) {
    return this.architecture.multiplexed ? multiplexer(name) : undefined;
  }

  #addTo(name: string, rules: readonly Rule[]): void {
    const index = this.#syscalls.get(name);
    if (index === undefined) {
      return;
    }
    const number = index + this.architecture.numberBase;
    const others = this.#rules.get(number) ?? [];
    this.#rules.set(number, others);
    for (const rule of rules) {
      if (others.push(this.#withoutIdleConditions(rule)) > MAX_RULES_OF_A_CALL) {
        refuse(rule.path, `more than ${MAX_RULES_OF_A_CALL} rules for ${name}: no filter holds them`);
      }
    }
  }

  /** Leaves out conditions that look at no bit, and so always hold. */
  #withoutIdleConditions(rule: Rule): Rule {
    const seen = this.architecture.bits === 32 ? 0xffffffffn : -1n;
    const conditions = rule.conditions.filter((condition) => (condition.mask & seen) !== 0n);
    return conditions.length === rule.conditions.length ? rule : { ...rule, conditions };
  }
}
