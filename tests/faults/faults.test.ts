import { existsSync, mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, expect, it } from "vitest";
import { makeBundle } from "../harness/bundle.ts";
import { TestNetwork } from "../harness/network.ts";
import { eventually } from "../harness/process.ts";
import { repository, Scratch } from "../harness/programs.ts";
import { takeCensus, takeTimes } from "./census.ts";
import { type Census, type Point, parsePoint, pointName, randomPoint, recordPoints } from "./point.ts";
import { Random } from "./random.ts";
import { runPoint } from "./run-point.ts";
import { strace } from "./strace.ts";

// KATA_FAULT_SEED and KATA_FAULT_POINTS choose another run; KATA_FAULT_POINT is one point alone, by its name in the log.
const SEED = Number(process.env.KATA_FAULT_SEED ?? 1);
const POINTS = Number(process.env.KATA_FAULT_POINTS ?? 24);
const WORKERS = Number(process.env.KATA_FAULT_WORKERS ?? 2);
/** Whether each death at each change of the record is had as well, and as many random faults happen as are asked for. */
const FULL = POINTS >= 500;
/** Random points that are drawn at most: some are not reached. */
const DRAWN = FULL ? 2 * POINTS : POINTS;
/** How many random faults must have happened. */
const WANTED = FULL ? POINTS : POINTS / 2;
const ALONE = process.env.KATA_FAULT_POINT;

/** Points that have failed once: each run has them, before its random ones. */
const KNOWN = [
  "force-delete/call/command/epoll_ctl/3/ENOSPC",
  "start/call/daemon/sendmsg/1/SIGKILL",
  "delete/call/daemon/umount2/1/SIGKILL",
  "delete/call/command/write/2/EIO",
  "create/call/command/read/11/EIO",
  "create/call/command/sendto/1/ENOBUFS",
  "create/call/all/unlinkat/3/EIO",
  "create/call/tree/clone3/4/EAGAIN",
  "create/call/all/openat2/1/EMFILE",
];

/** A quiet machine takes 45 s. */
const CENSUS_MS = 300_000;

const scratch = new Scratch();
/** A worker's container. */
interface Place {
  readonly bundle: string;
  /** In a namespace that outlives it; undefined: the daemon makes one. */
  readonly network: TestNetwork | undefined;
  /** The namespace as it is to be after each point. */
  readonly picture: string | undefined;
}
const places: Place[] = [];
let census: Census = { calls: [], durations: new Map(), changes: new Map() };

async function openPlace(number: number): Promise<Place> {
  const network = await TestNetwork.open();
  const { inside } = network;
  // Nothing changes in there by itself: the kernel makes no addresses.
  inside.run("sh", "-c", "echo 1 > /proc/sys/net/ipv6/conf/default/addr_gen_mode");
  network.connect("eth0", 60);
  await eventually(
    "a link",
    () => inside.run("ip", "link", "show", "eth0").includes("state UP") || undefined,
  );
  const bundle = makeBundle(scratch.join(`bundle-${number}`), {
    args: ["sleep", "1000"],
    edit: ({ linux }) => {
      for (const each of linux.namespaces) if (each.type === "network") each.path = inside.path;
    },
  });
  return { bundle, network, picture: inside.picture() };
}

function placeWithoutNetwork(number: number): Place {
  const bundle = makeBundle(scratch.join(`bundle-${number}`), { args: ["sleep", "1000"] });
  return { bundle, network: undefined, picture: undefined };
}

beforeAll(async () => {
  if (!existsSync(strace)) throw new Error(`${strace} is not there: run make setup`);
  places.push(await openPlace(0));
  for (let number = 1; number < WORKERS; number++)
    places.push(number === 1 ? placeWithoutNetwork(number) : await openPlace(number));
  const { bundle = "" } = places[0] ?? {};
  if (ALONE === undefined) census = await takeCensus(bundle);
  else {
    const wanted = new Set(fixedPoints().map(({ operation }) => operation));
    census = { calls: [], ...(await takeTimes(bundle, [...wanted])) };
  }
}, CENSUS_MS);
afterAll(async () => {
  for (const { network } of places) await network?.close();
  scratch[Symbol.dispose]();
});

/** Points that each run, or each full run, has besides its random ones. */
function fixedPoints(): Point[] {
  if (ALONE !== undefined) return ALONE.split(" ").map(parsePoint);
  return [...(FULL ? recordPoints(census) : []), ...KNOWN.map(parsePoint)];
}

/** What has become of the random points of one kind. */
interface Tally {
  drawn: number;
  happened: number;
}

it(
  `${ALONE ?? `${POINTS} random faults (seed ${SEED}), and those that failed once`}: state tells the truth, delete --force succeeds, nothing is left, the network namespace is as it was`,
  async () => {
    const report = join(repository, "build/test-reports");
    mkdirSync(report, { recursive: true });
    const random = new Random(SEED);
    const fixed = fixedPoints();
    const changes = [...census.changes].map(([operation, count]) => `${operation} ${count}`);
    const lines: string[] = [
      `seed ${SEED}, ${fixed.length} fixed points, ${POINTS} random ones; changes of the record: ${changes.join(", ")}`,
    ];
    const failures: string[] = [];
    const calls: Tally = { drawn: 0, happened: 0 };
    const kills: Tally = { drawn: 0, happened: 0 };
    const drawn = () => calls.drawn + kills.drawn;
    const happened = () => calls.happened + kills.happened;
    let index = 0;

    /** The next point, and where it is counted. */
    const take = (ahead: Point[]): { point: Point; tally?: Tally } | undefined => {
      const next = ahead.shift();
      if (next !== undefined) return { point: next };
      if (ALONE !== undefined || drawn() >= DRAWN || happened() >= POINTS) return undefined;
      const point = randomPoint(random, census);
      const tally = point.kind === "call" ? calls : kills;
      tally.drawn++;
      return { point, tally };
    };

    const suffer = async (point: Point, tally: Tally | undefined, place: Place): Promise<string> => {
      try {
        const reached = await runPoint(point, place.bundle, census.durations);
        expect(place.network?.inside.picture(), "its network namespace").toBe(place.picture);
        if (!reached) return "not reached";
        if (tally !== undefined) tally.happened++;
        return "ok";
      } catch (error) {
        const why = `FAILED: ${error instanceof Error ? error.message : error}`;
        failures.push(`${pointName(point)}: ${why}`);
        return why;
      }
    };

    const work = async (place: Place) => {
      const ahead = ALONE === undefined ? fixed : fixedPoints();
      for (let next = take(ahead); next !== undefined; next = take(ahead)) {
        const name = `${index++} ${pointName(next.point)}${place.network ? "" : " (without a network)"}`;
        lines.push(`${name}: ${await suffer(next.point, next.tally, place)}`);
        writeFileSync(join(report, `faults-${SEED}.log`), `${lines.join("\n")}\n`);
      }
    };
    await Promise.all(places.map(work));
    const told = (what: string, tally: Tally) => `${tally.happened} of ${tally.drawn} ${what} happened`;
    console.log(
      `faults: seed ${SEED}, ${lines.length - 1} points, of the random ones ${told("at calls", calls)}, ${told("kills", kills)}; ${failures.length} failed`,
    );
    expect(failures).toEqual([]);
    if (ALONE !== undefined) return;
    expect(happened(), "random faults that happened").toBeGreaterThanOrEqual(WANTED);
    expect(calls.happened, `of ${calls.drawn} faults at calls`).toBeGreaterThanOrEqual(calls.drawn / 2);
    // A victim may be gone by the moment that was drawn.
    expect(kills.happened, `of ${kills.drawn} kills`).toBeGreaterThanOrEqual(kills.drawn / 3);
  },
  60_000 + (DRAWN + (FULL ? 100 : 0)) * 30_000,
);
