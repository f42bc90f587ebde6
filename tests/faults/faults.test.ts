import { existsSync, mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, expect, it } from "vitest";
import { makeBundle } from "../harness/bundle.ts";
import { repository, Scratch } from "../harness/programs.ts";
import { takeCensus } from "./census.ts";
import { type Census, type Point, parsePoint, pointName, randomPoint } from "./point.ts";
import { Random } from "./random.ts";
import { type Durations, runPoint } from "./run-point.ts";
import { strace } from "./strace.ts";

// KATA_FAULT_SEED and KATA_FAULT_POINTS choose another run; KATA_FAULT_POINT is one point alone, by its name in the log.
const SEED = Number(process.env.KATA_FAULT_SEED ?? 1);
const POINTS = Number(process.env.KATA_FAULT_POINTS ?? 24);
const WORKERS = Number(process.env.KATA_FAULT_WORKERS ?? 2);
const ALONE = process.env.KATA_FAULT_POINT;

/** Points that have failed once: each run has them, after its random ones. */
const KNOWN = [
  "force-delete/call/command/epoll_ctl/3/ENOSPC",
  "start/call/daemon/sendmsg/1/SIGKILL",
  "delete/call/daemon/umount2/1/SIGKILL",
  "delete/call/command/write/2/EIO",
  "create/call/command/read/11/EIO",
];

const scratch = new Scratch();
// sysrq can be written to: it is how the guest is ended from inside.
const bundle = makeBundle(scratch.join("bundle"), {
  args: ["sleep", "1000"],
  edit(config) {
    config.linux.readonlyPaths = [];
  },
});
let census: Census = [];
let durations: Durations = new Map();

beforeAll(async () => {
  if (!existsSync(strace)) throw new Error(`${strace} is not there: run make setup`);
  ({ census, durations } = await takeCensus(bundle));
});
afterAll(() => scratch[Symbol.dispose]());

function points(): Point[] {
  if (ALONE !== undefined) return ALONE.split(" ").map(parsePoint);
  const random = new Random(SEED);
  const chosen = Array.from({ length: POINTS }, () => randomPoint(random, census));
  return [...chosen, ...KNOWN.map(parsePoint)];
}

it(
  `${ALONE ?? `${POINTS} random faults (seed ${SEED}), and those that failed once`}: state tells the truth, delete --force succeeds, nothing is left`,
  async () => {
    const report = join(repository, "build/test-reports");
    mkdirSync(report, { recursive: true });
    const waiting = points().map((point, index) => ({ point, index }));
    const lines: string[] = [`seed ${SEED}, ${waiting.length} points`];
    const failures: string[] = [];
    let happened = 0;
    const work = async () => {
      for (let next = waiting.shift(); next !== undefined; next = waiting.shift()) {
        const name = pointName(next.point);
        let result = "not reached";
        try {
          if (await runPoint(next.point, bundle, durations)) {
            happened++;
            result = "ok";
          }
        } catch (error) {
          result = `FAILED: ${error instanceof Error ? error.message : error}`;
          failures.push(`${name}: ${result}`);
        }
        lines.push(`${next.index} ${name}: ${result}`);
        writeFileSync(join(report, `faults-${SEED}.log`), `${lines.join("\n")}\n`);
      }
    };
    await Promise.all(Array.from({ length: WORKERS }, work));
    console.log(
      `faults: seed ${SEED}, ${lines.length - 1} points, ${happened} happened, ${failures.length} failed`,
    );
    expect(failures).toEqual([]);
  },
  60_000 + POINTS * 30_000,
);
