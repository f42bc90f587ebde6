import { type Ops, SysError, setOps } from "@kata-containers/sys";
import { afterEach, beforeEach, expect, test } from "vitest";
import { Hotplug, memoryBlockSize, memoryBlocks } from "./hotplug.ts";

const SYS = "/sys/devices/system";
let files: Map<string, string>;
let onEvent: () => void;
let fake: Partial<Ops>;
const hotplug = () =>
  new Hotplug({
    findDevices: () => {},
    timeoutMs: 1000,
    uevents: () => ({
      waitFor: async (probe) => {
        for (;;) {
          onEvent();
          const found = probe();
          if (found !== undefined) return found;
        }
      },
    }),
  });

beforeEach(() => {
  files = new Map([
    [`${SYS}/cpu/cpu0/uevent`, ""],
    [`${SYS}/cpu/cpufreq/x`, ""],
    [`${SYS}/memory/block_size_bytes`, "8000000\n"],
    [`${SYS}/memory/memory0/state`, "online\n"],
  ]);
  onEvent = () => {
    throw new Error("nobody waits");
  };
  fake = {
    statIfThere: (path) => (files.has(path) ? ({} as ReturnType<Ops["statIfThere"]>) : undefined),
    readFile: (path) => Buffer.from(files.get(path) ?? ""),
    writeFile: (path, bytes) => void files.set(path, `${Buffer.from(bytes)}\n`),
    utf8Encode: (text) => Buffer.from(text),
    utf8Decode: (bytes) => Buffer.from(bytes).toString(),
    readdir: (directory) => {
      const names = [...files.keys()].filter((path) => path.startsWith(`${directory}/`));
      const first = names.map((path) => path.slice(directory.length + 1).split("/")[0] ?? "");
      return [...new Set(first)].map((name) => ({ name, kind: "directory" })) as unknown as ReturnType<
        Ops["readdir"]
      >;
    },
  };
  setOps(fake as Ops);
});
afterEach(() => setOps(undefined));

const request = { wait: true, nbCpus: 1, cpuOnly: false, memBlocks: 1 };

test("the size of a block is hexadecimal", () => {
  expect(memoryBlockSize()).toBe(128 * 2 ** 20);
  expect(memoryBlocks()).toEqual([`${SYS}/memory/memory0`]);
});

test("what is there already is not waited for", async () => {
  await hotplug().online(request);
});

test("CPUs and memory are brought online as they appear", async () => {
  const appear = [
    () => files.set(`${SYS}/cpu/cpu1/online`, "0\n"),
    () => files.set(`${SYS}/memory/memory32/state`, "offline\n"),
    () => files.set(`${SYS}/memory/memory33/state`, "offline\n"),
  ];
  onEvent = () => appear.shift()?.();
  await hotplug().online({ ...request, nbCpus: 2, memBlocks: 3 });
  expect(files.get(`${SYS}/cpu/cpu1/online`)).toBe("1\n");
  expect([32, 33].map((n) => files.get(`${SYS}/memory/memory${n}/state`))).toEqual(["online\n", "online\n"]);
});

test("no more CPUs are brought online than are asked for, the first ones", async () => {
  for (const cpu of [10, 2, 1]) files.set(`${SYS}/cpu/cpu${cpu}/online`, "0\n");
  await hotplug().online({ ...request, nbCpus: 3 });
  expect([1, 2, 10].map((cpu) => files.get(`${SYS}/cpu/cpu${cpu}/online`))).toEqual(["1\n", "1\n", "0\n"]);
});

test("a block that the kernel brings online by itself meanwhile is no failure; one that stays offline is", async () => {
  files.set(`${SYS}/memory/memory32/state`, "offline\n");
  const refuse = (state: string) =>
    setOps({
      ...fake,
      writeFile: (path) => {
        files.set(path, state);
        throw new SysError("EINVAL", "write", path);
      },
    } as Ops);
  refuse("online\n");
  await hotplug().online(request);
  files.set(`${SYS}/memory/memory32/state`, "offline\n");
  refuse("offline\n");
  await expect(hotplug().online(request)).rejects.toMatchObject({ code: "EINVAL" });
});
