import { type Ops, SysError, setOps } from "@kata-containers/sys";
import { afterEach, expect, test } from "vitest";
import { flatKeyed, pidsOf } from "./cgroup.ts";
import { hugepageSizes } from "./figures.ts";
import { signalAll } from "./signal-all.ts";

afterEach(() => setOps(undefined));

/** Directories with the text of their cgroup.procs, or the error of reading it. */
function groups(procs: Readonly<Record<string, string | Error>>, ops: Partial<Ops> = {}): void {
  const fake: Partial<Ops> = {
    readFile: (path) => {
      const text = procs[path.replace("/cgroup.procs", "")] ?? new SysError("ENOENT", "open", path);
      if (text instanceof Error) throw text;
      return new TextEncoder().encode(text);
    },
    readdir: (path) => {
      if (procs[path] === undefined) throw new SysError("ENOENT", "open", path);
      const below = Object.keys(procs).filter((each) => each.slice(0, each.lastIndexOf("/")) === path);
      return below.map((each) => ({ name: each.slice(path.length + 1), type: "dir", ino: 1 }));
    },
    utf8Decode: (bytes) => new TextDecoder().decode(bytes),
    ...ops,
  };
  setOps(fake as Ops);
}

test("a group's processes are its own and those below it, though a container has made a group that does not say", () => {
  groups({
    "/c": "1\n",
    "/c/a": new SysError("ENOTSUP", "read", "/c/a/cgroup.procs"),
    "/c/a/b": "2\n3\n",
    "/c/d": "",
  });
  expect(pidsOf("/c")).toEqual([1, 2, 3]);
  expect(pidsOf("/gone")).toEqual([]);
});

test("a signal for all goes to nobody whose pid we are not told, above all not to ourselves", async () => {
  const killed: number[] = [];
  groups({ "/c": "0\n7\n0\n" }, { kill: (pid) => void killed.push(pid) });
  const place = { version: 1, controllers: ["pids"], mountpoint: "/", path: "/c", directory: "/c" } as const;
  await signalAll("c", [place], 9);
  expect(killed).toEqual([7]);
});

test("a group without figures of huge pages says nothing of the next one's", () => {
  const names = (...files: string[]) => files.map((name) => ({ name, type: "file" as const, ino: 1 }));
  groups({}, { readdir: () => names("cgroup.procs") });
  expect(hugepageSizes("/c/one", "current")).toEqual([]);
  groups({}, { readdir: () => names("hugetlb.2MB.current", "hugetlb.1GB.current", "hugetlb.2MB.max") });
  expect(hugepageSizes("/c/two", "current")).toEqual(["1GB", "2MB"]);
});

test("lines of a name and a whole number are read, exactly, and all others left out", () => {
  const text =
    "anon 4096\nfile 0\n\nbare\n 5\nlist 1 2\npart 1.5\nlimit max\nhuge 18446744073709551615\nlast 7";
  expect([...flatKeyed(text)]).toEqual([
    ["anon", 4096n],
    ["file", 0n],
    ["huge", 18446744073709551615n],
    ["last", 7n],
  ]);
  expect(flatKeyed("").size).toBe(0);
});
