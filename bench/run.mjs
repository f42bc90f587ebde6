// make bench: checks the promises of SPECIFICATION.md, in its order, and prints a table.
// `make bench NAMES="NAME..."` checks some. Exit status 1 when a promise is broken, 0 otherwise.
import { cpus, release, totalmem } from "node:os";
import { must } from "./measure.mjs";
import { cliMemory } from "./promises/cli-memory.mjs";
import { compile } from "./promises/compile.mjs";
import { conformance } from "./promises/conformance.mjs";
import { ctrExec, ctrMemory, ctrRun, ctrStdout, templateCtr } from "./promises/containerd.mjs";
import { disk } from "./promises/disk.mjs";
import { dockerRun, templateDocker } from "./promises/docker.mjs";
import { exec } from "./promises/exec.mjs";
import { execGrowth } from "./promises/exec-growth.mjs";
import { cacheRun, factoryInit } from "./promises/factory.mjs";
import { makeRun, makeRunFresh } from "./promises/make-run.mjs";
import { agentMemory, daemonMemory, shimMemory } from "./promises/memory.mjs";
import { features, list, ps, psJson, state, stats } from "./promises/read-only.mjs";
import { run } from "./promises/run.mjs";
import { runkMemory, runkRun } from "./promises/runk.mjs";
import { soak } from "./promises/soak.mjs";
import { startOverhead } from "./promises/start-overhead.mjs";
import { stdout } from "./promises/stdout.mjs";
import { tcpIn, tcpLatency, tcpOut } from "./promises/tcp.mjs";
import { templateMany, templateRun } from "./promises/template.mjs";
import { templateMemory } from "./promises/template-memory.mjs";
import { version } from "./promises/version.mjs";

/**
 * @typedef {object} Verdict
 * @property {string} figure what was measured, with its unit
 * @property {string} [baseline] what it was compared with
 * @property {number} used the share of the allowance that is used: 1 = at the limit, above = broken
 * @property {string} [details] lines that are printed below
 * @property {[number, number]} [range] between which that is with 95 % certainty; absent: it was measured once
 */
/** @typedef {{name: string, promise: string, measure: () => Verdict | Promise<Verdict>}} Promise_ */

/** @type {Promise_[]} */
const promises = [
  version,
  cliMemory,
  daemonMemory,
  shimMemory,
  agentMemory,
  disk,
  compile,
  stdout,
  run,
  exec,
  execGrowth,
  state,
  list,
  ps,
  psJson,
  stats,
  features,
  runkRun,
  runkMemory,
  ctrRun,
  ctrExec,
  ctrMemory,
  ctrStdout,
  tcpIn,
  tcpOut,
  tcpLatency,
  templateRun,
  templateMany,
  templateMemory,
  startOverhead,
  factoryInit,
  cacheRun,
  templateCtr,
];
const onRequest = [dockerRun, templateDocker, makeRun, makeRunFresh, conformance, soak];

const asked = process.argv.slice(2);
const known = [...promises, ...onRequest];
for (const name of asked)
  if (!known.some((p) => p.name === name)) {
    console.error(`bench: no promise is called ${name}; there are ${known.map((p) => p.name).join(", ")}`);
    process.exit(2);
  }
const chosen = asked.length > 0 ? known.filter((p) => asked.includes(p.name)) : promises;

console.log(
  `${cpus().length} × ${cpus()[0]?.model}, ${Math.round(totalmem() / 2 ** 30)} GiB, Linux ${release()}`,
);
console.log(row("promise", "must", "figure", "baseline", "verdict", "took"));
const BROKEN = "BROKEN";
/** Of all promises and the picture, but for those on request. */
const WHOLE_MINUTES = 15;
const began = performance.now();
let broken = 0;
if (asked.length === 0) {
  try {
    must(process.execPath, ["bench/start-svg.mjs", "docs/performance"], { timeoutMs: 600_000 });
  } catch (error) {
    broken++;
    console.log(`docs/performance/start.svg: FAILED: ${error instanceof Error ? error.message : error}`);
  }
}
for (const { name, promise, measure } of chosen) {
  const started = performance.now();
  const took = () => `${((performance.now() - started) / 1000).toFixed(0)} s`;
  try {
    const { figure, baseline = "", used, range = [used, used], details } = await measure();
    const verdict = verdictOf(range);
    if (verdict === BROKEN) broken++;
    console.log(row(name, promise, figure, baseline, verdict, took()));
    if (details !== undefined) console.log(details.trimEnd().replaceAll(/^/gm, "    "));
  } catch (error) {
    broken++;
    console.log(
      row(name, promise, "", "", `FAILED: ${error instanceof Error ? error.message : error}`, took()),
    );
  }
}
if (asked.length === 0) {
  const minutes = (performance.now() - began) / 60_000;
  const verdict = minutes > WHOLE_MINUTES ? BROKEN : "held";
  if (verdict === BROKEN) broken++;
  console.log(
    row("bench", `all of this ≤ ${WHOLE_MINUTES} minutes`, `${minutes.toFixed(1)} minutes`, "", verdict, ""),
  );
}
process.exitCode = broken > 0 ? 1 : 0;

/** @param {[low: number, high: number]} range */
function verdictOf([low, high]) {
  if (high <= 1) return "held";
  return low <= 1 ? `no verdict: between ${percent(low)} and ${percent(high)} of what may be` : BROKEN;
}

/** @param {number} share */
function percent(share) {
  return `${(100 * share).toFixed(0)} %`;
}

/** @param {string} name @param {string} promise @param {string} figure @param {string} baseline @param {string} verdict @param {string} took */
function row(name, promise, figure, baseline, verdict, took) {
  return `${name.padEnd(16)} ${promise.padEnd(42)} ${figure.padEnd(38)} ${baseline.padEnd(34)} ${verdict.padEnd(10)}  ${took}`;
}
