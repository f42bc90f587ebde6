import { type Ops, SysError, setOps } from "@kata-containers/sys";
import { afterEach, beforeEach, expect, test } from "vitest";
import type { CgroupPlace } from "./cgroup-places.ts";
import { watchOom } from "./oom-watch.ts";

const at = (version: 1 | 2, directory: string, ...controllers: string[]): CgroupPlace => ({
  version,
  controllers,
  mountpoint: "/cg",
  path: "/c",
  directory,
});

/** A kernel with one control group, whose events are told by `wake`. */
const STAT = {} as ReturnType<Ops["stat"]>;

let files: Map<string, string>;
let wake: () => void;
let written: string[];
let news: string[];

beforeEach(() => {
  files = new Map();
  written = [];
  news = [];
  const missing = (path: string) => {
    if (!files.has(path)) throw new SysError("ENOENT", "open", path);
  };
  const text = (path: string) => {
    missing(path);
    return new TextEncoder().encode(files.get(path));
  };
  const fake: Partial<Ops> = {
    readFile: text,
    statIfThere: (path) => (files.has(path) ? STAT : undefined),
    writeFile: (path, bytes) => void written.push(`${path} ${new TextDecoder().decode(bytes)}`),
    utf8Encode: (string) => new TextEncoder().encode(string),
    utf8Decode: (bytes) => new TextDecoder().decode(bytes),
    inotify: () => 7,
    eventfd: () => 8,
    open: () => 9,
    close: () => {},
    read: () =>
      new Promise((resolve) => {
        wake = () => resolve(new Uint8Array(8));
      }),
  };
  setOps(fake as Ops);
});
afterEach(() => setOps(undefined));

const watch = (...places: CgroupPlace[]) =>
  watchOom(
    places,
    () => news.push("oom"),
    () => news.push("end"),
  );
const turn = () => new Promise((resolve) => setImmediate(resolve));

test("v2: each rise of oom_kill is news, other changes of memory.events are none, and its removal is the end", async () => {
  const file = "/c/memory.events";
  files.set(file, "oom 1\noom_kill 1\n");
  watch(at(2, "/c", "memory"));
  for (const [high, kills] of [
    [1, 1],
    [1, 2],
    [2, 2],
    [2, 4],
  ]) {
    files.set(file, `high ${high}\noom_kill ${kills}\n`);
    wake();
    await turn();
  }
  expect(news).toEqual(["oom", "oom"]);
  files.delete(file);
  wake();
  await turn();
  expect(news).toEqual(["oom", "oom", "end"]);
});

test("v1: the kernel is given an eventfd for memory.oom_control, and signals it at the end as well", async () => {
  files.set("/mem/memory.oom_control", "oom_kill_disable 0\n");
  watch(at(1, "/mem", "memory"), at(2, "/unified"));
  expect(written).toEqual(["/mem/cgroup.event_control 8 9"]);
  wake();
  await turn();
  files.clear();
  wake();
  await turn();
  expect(news).toEqual(["oom", "end"]);
});

test("without a memory controller there is nothing to watch", () => {
  watch();
  watch(at(2, "/c", "cpu"))[Symbol.dispose]();
  expect(news).toEqual([]);
});
