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
 * rule before had, but another action.
 */
export function orderRules(rules: readonly Rule[], bits: 32 | 64): readonly Rule[] {
  const root: Node[] = [];
  for (const rule of rules) {
    insert(root, rule, bits);
  }
  const ordered: Rule[] = [];
  collect(root, ordered);
  return ordered;
}

function insert(root: Node[], rule: Rule, bits: 32 | 64): void {
  let level = root;
  let node: Node | undefined;
  for (const word of rule.conditions.flatMap((condition) => words(condition, bits))) {
    node = level.find((other) => isSame(other.word, word)) ?? place(level, word);
    if (node.rule !== undefined) {
      const same = node.rule.conditions.length === rule.conditions.length;
      if (same && node.rule.verdict !== rule.verdict) {
        contradict(node.rule, rule);
      }
      return;
    }
    level = node.next;
  }
  if (node !== undefined) {
    end(node, rule);
  }
}

/** Ends a rule at a node: those that went on from there are never reached any more. */
function end(node: Node, rule: Rule): void {
  const longer: Rule[] = [];
  collect(node.next, longer);
  for (const other of longer) {
    if (other.verdict !== rule.verdict) {
      contradict(other, rule);
    }
  }
  node.rule = rule;
  node.next.length = 0;
}

function contradict(before: Rule, rule: Rule): never {
  refuse(
    rule.path,
    `its conditions are among those of linux.seccomp${before.path}, which has another action`,
  );
}

function place(level: Node[], word: Word): Node {
  const node: Node = { word, next: [] };
  const at = level.findIndex((other) => isBefore(word, other.word));
  level.splice(at === -1 ? level.length : at, 0, node);
  return node;
}

function collect(level: readonly Node[], into: Rule[]): void {
  for (const node of level) {
    if (node.rule !== undefined) {
      into.push(node.rule);
    }
    collect(node.next, into);
  }
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
