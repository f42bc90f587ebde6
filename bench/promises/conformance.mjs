import { spawnSync } from "node:child_process";
import { importTypeScript } from "../../scripts/import-typescript.mjs";
import { median, medianRange, withSpread } from "../measure.mjs";

const { NATIVE } = await importTypeScript("tests/conformance/runtimes.ts");
const { Suite } = await importTypeScript("tests/conformance/suite.ts");

const LIMIT = 1.2;
const ROUNDS = 3;
/** How many programs are told, of those that runk takes longest for. */
const TOLD = 5;

/** @typedef {{runk: number, crun: number}} Seconds */

export const conformance = {
  name: "conformance",
  promise: "OCI suite with runk ≤ 1.2 × crun",
  async measure() {
    if (spawnSync("crun", ["--version"]).error) throw new Error("crun not found (scripts/setup --full)");
    const suite = Suite.install();
    /** Of each program, a round each. @type {Map<string, Seconds[]>} */
    const taken = new Map(suite.programs.map((/** @type {string} */ program) => [program, []]));
    try {
      for (let round = 0; round < ROUNDS; round++)
        for (const [program, rounds] of taken) rounds.push(await inTurn(suite, program, round % 2 === 0));
    } finally {
      suite[Symbol.dispose]();
    }
    const sums = Array.from({ length: ROUNDS }, (_, round) =>
      sum([...taken.values()].map((each) => each[round])),
    );
    const runk = sums.map((each) => each.runk);
    const crun = sums.map((each) => each.crun);
    const used = sums.map((each) => each.runk / each.crun / LIMIT);
    return {
      figure: `${(median(used) * LIMIT).toFixed(2)} ×, ${withSpread(runk, 0)} s`,
      baseline: `crun ${withSpread(crun, 0)} s`,
      used: median(used),
      range: medianRange(used),
      details: slowest(taken),
    };
  },
};

/**
 * One program with both, the one or the other first.
 * @param {any} suite @param {string} program @param {boolean} runkFirst @returns {Promise<Seconds>}
 */
async function inTurn(suite, program, runkFirst) {
  const seconds = { runk: 0, crun: 0 };
  /** @type {("runk" | "crun")[]} */
  const order = runkFirst ? ["runk", "crun"] : ["crun", "runk"];
  for (const name of order) seconds[name] = (await suite.run(program, NATIVE[name])).seconds;
  return seconds;
}

/** @param {(Seconds | undefined)[]} all @returns {Seconds} */
function sum(all) {
  const of = (/** @type {"runk" | "crun"} */ name) =>
    all.reduce((total, each) => total + (each?.[name] ?? NaN), 0);
  return { runk: of("runk"), crun: of("crun") };
}

/** Where the time goes. @param {Map<string, Seconds[]>} taken */
function slowest(taken) {
  return [...taken]
    .map(([program, rounds]) => {
      const runk = median(rounds.map((each) => each.runk));
      const crun = median(rounds.map((each) => each.crun));
      return { more: runk - crun, line: `${program}: ${runk.toFixed(1)} s, crun ${crun.toFixed(1)} s` };
    })
    .sort((one, other) => other.more - one.more)
    .slice(0, TOLD)
    .map(({ line }) => line)
    .join("\n");
}
