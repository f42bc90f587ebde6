// start-svg.mjs FOLDER: draws where the time of a start goes to FOLDER/start.svg, and writes its table into FOLDER/README.md.
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { cpus, loadavg } from "node:os";
import { join } from "node:path";
import { withBareBoot } from "./bare-boot.mjs";
import { withBareCopies } from "./bare-copy.mjs";
import { drawBars } from "./bars.mjs";
import { kataWith, newId, withBundle, withIdle } from "./containers.mjs";
import { machineOfDaemon } from "./machine.mjs";
import { median, shellSeconds } from "./measure.mjs";
import { ownKernel, withOwnKernel } from "./own-kernel.mjs";
import { medianSteps, STEPS, sampleOfStart } from "./phases.mjs";
import { awaitFull, timingOfOne, withCache } from "./promises/factory.mjs";

/** @typedef {import("./phases.mjs").Steps} Steps */

const SAMPLES = 7;

/** What else the machine did, before. */
const [load = 0] = loadavg();

/** Between these lines of the README. */
const [BEGIN, END] = ["<!-- bench/start-svg.mjs writes this -->", "<!-- up to here -->"];

const [folder] = process.argv.slice(2);
if (folder === undefined) throw new Error("usage: start-svg.mjs FOLDER");

await withBundle(["true"], async (bundle) => {
  const { cold, template, bareCopy, bareBoot, runc } = await inTurn(bundle);
  const cache = await ifThere("cache", () => ofCache(bundle));
  draw(
    thoseThere({ cold, template, cache }),
    thoseThere({ "bare copy": bareCopy, "bare QEMU": bareBoot, runc }),
  );
});

/** All but the cache, which makes another VM meanwhile. @param {string} bundle */
function inTurn(bundle) {
  return withOwnKernel({}, (cold) =>
    withOwnKernel({ enable_template: true }, (template) =>
      withBareCopies((bareCopy) => {
        const machine = withIdle(({ daemonPid }) => machineOfDaemon(daemonPid), cold);
        return withBareBoot(
          machine,
          (bareBoot) => rounds(bundle, cold, template, bareCopy, bareBoot),
          ownKernel,
        );
      }),
    ),
  );
}

/**
 * So that the machine's drift falls on all.
 * @param {string} bundle @param {string} cold a configuration @param {string} template another one
 * @param {() => number} bareCopy seconds @param {() => number} bareBoot seconds
 */
async function rounds(bundle, cold, template, bareCopy, bareBoot) {
  // The first one makes the template.
  sampleOfStart(timed(template, bundle));
  const without = await ifThere("runc", () => runc(bundle));
  const taken = Array.from({ length: SAMPLES }, () => ({
    cold: sampleOfStart(timed(cold, bundle)),
    template: sampleOfStart(timed(template, bundle)),
    bareCopy: bareCopy() * 1000,
    bareBoot: bareBoot() * 1000,
    runc: without === undefined ? undefined : runc(bundle),
  }));
  return {
    cold: medianSteps(taken.map((each) => each.cold)),
    template: medianSteps(taken.map((each) => each.template)),
    bareCopy: median(taken.map((each) => each.bareCopy)),
    bareBoot: median(taken.map((each) => each.bareBoot)),
    runc: without === undefined ? undefined : median(taken.map((each) => each.runc ?? Number.NaN)),
  };
}

/**
 * undefined, and the reason on standard error, where it fails.
 * @template T @param {string} what @param {() => T | Promise<T>} take @returns {Promise<T | undefined>}
 */
async function ifThere(what, take) {
  try {
    return await take();
  } catch (error) {
    console.error(`start-svg: without ${what}: ${error instanceof Error ? error.message : error}`);
    return undefined;
  }
}

/** @template T @param {Record<string, T | undefined>} all @returns {Map<string, T>} */
function thoseThere(all) {
  return new Map(Object.entries(all).flatMap(([name, each]) => (each === undefined ? [] : [[name, each]])));
}

/** @param {string} bundle */
function ofCache(bundle) {
  return withOwnKernel({ vm_cache_number: 2 }, (file) =>
    withCache(file, () => {
      timingOfOne(file, bundle);
      const taken = Array.from({ length: SAMPLES }, () => {
        awaitFull(file);
        return sampleOfStart(timed(file, bundle));
      });
      return medianSteps(taken);
    }),
  );
}

/** @param {string} file @param {string} bundle */
function timed(file, bundle) {
  return [...kataWith(file), "run", "--timing-format", "json", "--bundle", bundle, newId()];
}

/** Milliseconds. @param {string} bundle */
function runc(bundle) {
  const root = mkdtempSync("/run/kata-bench-runc-");
  try {
    return shellSeconds(`runc --root ${root} run --bundle ${bundle} ${newId()}`) * 1000;
  } finally {
    rmSync(root, { recursive: true, force: true });
  }
}

/** @param {Map<string, Steps>} starts @param {Map<string, number>} totals ms */
function draw(starts, totals) {
  const bars = [
    ...[...starts].map(([title, steps]) => ({
      title,
      parts: [...steps].map(([name, ms]) => ({ name, ms })),
    })),
    ...[...totals].map(([title, ms]) => ({ title, parts: [{ name: title, ms }] })),
  ];
  const legend = STEPS.map(({ name }) => name);
  writeFileSync(join(folder ?? "", "start.svg"), drawBars("kata-runtime run of true", legend, bars));
  const readme = join(folder ?? "", "README.md");
  const text = readFileSync(readme, "utf8");
  const [begin, end] = [text.indexOf(BEGIN) + BEGIN.length, text.indexOf(END)];
  if (end < begin) throw new Error(`${readme} has no place for the table`);
  writeFileSync(readme, `${text.slice(0, begin)}\n${table(starts, totals)}\n${text.slice(end)}`);
}

/** @param {Map<string, Steps>} starts @param {Map<string, number>} totals ms */
function table(starts, totals) {
  const row = (/** @type {string[]} */ ...cells) => `| ${cells.join(" | ")} |`;
  const names = [...starts.keys()];
  const sum = (/** @type {Steps} */ steps) => [...steps.values()].reduce((all, ms) => all + ms, 0);
  const machine = `${cpus().length} × ${cpus()[0]?.model}`;
  return [
    `Median milliseconds of ${SAMPLES} on ${machine}, which had a load of ${load.toFixed(1)} before:`,
    "",
    row("step", ...names, "what happens"),
    row("---", ...names.map(() => "---:"), "---"),
    ...STEPS.map(({ name, what }) =>
      row(name, ...[...starts.values()].map((steps) => (steps.get(name) ?? 0).toFixed(0)), what),
    ),
    row("**all**", ...[...starts.values()].map((steps) => `**${sum(steps).toFixed(0)}**`), ""),
    "",
    `Beside them: ${[...totals].map(([name, ms]) => `${name} ${ms.toFixed(0)} ms`).join(", ")}.`,
  ].join("\n");
}
