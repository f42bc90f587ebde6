import type { Condition, Test } from "./condition.ts";
import { high, low } from "./condition-code.ts";
import { refuse } from "./refuse.ts";
import type { Rule } from "./rule.ts";

/** A condition's test of one 32-bit word. */
type Word = {
  readonly slot: number;
  readonly test: Test;
  readonly negated: boolean;
  readonly value: number;
  readonly mask: number;
  readonly rank: number;
};

type Node = { readonly word: Word; rule?: Rule; readonly next: Node[] };

/**
 * The rules of one call in the order in which they are tried; the first whose conditions hold decides. It is libseccomp's
 * order, which is not the profile's: rules are a tree, word by word, of the lowest argument first; beside each other,
 * the higher argument goes first, then equality before bounds, then the higher value (of upper bounds the lower one).
 * A rule that begins with all the conditions of another is never reached, and left out.
 * Throws InvalidArgument where libseccomp says EEXIST: rules with the same conditions, or with fewer of those that a
 * rule before had, but another action; unless a third rule, tried before, makes one of the two pointless.
 */
export function orderRules(rules: readonly Rule[], bits: 32 | 64): readonly Rule[] {
  const tree = new RuleTree(rules, bits);
  for (const rule of rules) {
    tree.insert(rule);
  }
  return collect(tree.root);
}

class RuleTree {
  readonly root: Node[] = [];
  readonly #rules: readonly Rule[];
  readonly #bits: 32 | 64;

  constructor(rules: readonly Rule[], bits: 32 | 64) {
    this.#rules = rules;
    this.#bits = bits;
  }

  insert(rule: Rule): void {
    let level = this.root;
    let node: Node | undefined;
    for (const word of rule.conditions.flatMap((condition) => words(condition, this.#bits))) {
      node = level.find((other) => isSame(other.word, word)) ?? place(level, word);
      if (node.rule !== undefined && node.rule.conditions.length < rule.conditions.length) {
        return;
      }
      level = node.next;
    }
    if (node !== undefined) {
      this.#end(node, rule);
    }
  }

  /** Ends a rule at a node: another that ends there, and those that go on, are never reached any more. */
  #end(node: Node, rule: Rule): void {
    for (const other of collect([node])) {
      if (
        other.verdict !== rule.verdict &&
        !this.#isPointless(other, rule) &&
        !this.#isPointless(rule, rule)
      ) {
        refuse(
          rule.path,
          `its conditions are among those of linux.seccomp${other.path}, which has another action`,
        );
      }
    }
    node.rule = rule;
    node.next.length = 0;
  }

  /** Whether a rule above `until` does the same under fewer of its conditions: such a one is tried before it. */
  #isPointless(rule: Rule, until: Rule): boolean {
    return this.#rules
      .slice(0, this.#rules.indexOf(until))
      .some(
        (other) =>
          other.verdict === rule.verdict &&
          other.conditions.length < rule.conditions.length &&
          other.conditions.every((a) => rule.conditions.some((b) => this.#isSameCondition(a, b))),
      );
  }

  #isSameCondition(a: Condition, b: Condition): boolean {
    const [ofA, ofB] = [words(a, this.#bits), words(b, this.#bits)];
    return ofA.every((word, at) => ofB[at] !== undefined && isSame(word, ofB[at]));
  }
}

function place(level: Node[], word: Word): Node {
  const node: Node = { word, next: [] };
  const at = level.findIndex((other) => isBefore(word, other.word));
  level.splice(at === -1 ? level.length : at, 0, node);
  return node;
}

/** The rules of a level and below, in order. */
function collect(level: readonly Node[]): Rule[] {
  return level.flatMap(({ rule, next }) => [...(rule === undefined ? [] : [rule]), ...collect(next)]);
}

function words(condition: Condition, bits: 32 | 64): readonly Word[] {
  const { index, test, negated, value, mask, rank } = condition;
  const lowWord = { slot: index * 2, test, negated, value: low(value), mask: low(mask), rank };
  if (bits === 32) {
    return [lowWord];
  }
  // The high word of both bounds is compared alike, and that of a contrary too: they share a node.
  const highTest = test === ">=" ? ">" : test;
  const highWord = { test: highTest, negated: false, value: high(value), mask: high(mask), rank } as const;
  return [{ slot: index * 2 + 1, ...highWord }, lowWord];
}

function isSame(a: Word, b: Word): boolean {
  return (
    a.slot === b.slot &&
    a.test === b.test &&
    a.negated === b.negated &&
    a.value === b.value &&
    a.mask === b.mask
  );
}

function isBefore(a: Word, b: Word): boolean {
  if (a.slot !== b.slot) {
    return a.slot > b.slot;
  }
  if (a.rank !== b.rank) {
    return a.rank > b.rank;
  }
  return a.rank === 2 ? a.value < b.value : a.value > b.value;
}
