import { expect, test } from "vitest";
import { parseProcess, parseUsers } from "./process-list.ts";

const stat =
  "312 (a ) b) S 300 312 312 34816 312 4194560 1 0 0 0 25 5 0 0 20 -5 3 0 5000 2314240 11 18446744073709551615 1 1 0";

test("a process is what its own pid namespace sees, whatever its name is", () => {
  const status = "Name:\ta\nUid:\t1000\t1001\t1000\t1000\nNSpid:\t312\t7\n";
  expect(parseProcess(stat, status, 1_000_000)).toEqual({
    pid: 7,
    ppid: 300,
    uid: 1001,
    state: "S",
    tty: "pts/0",
    startedMs: 1_050_000,
    cpuMs: 300,
    rssKb: 44,
    vszKb: 2260,
    nice: -5,
    threads: 3,
    comm: "a ) b",
  });
});

test("users are the first name of each uid; names that are none are left out", () => {
  const users = parseUsers(
    "root:x:0:0::/:/bin/sh\ntoor:x:0:0::/:\nbad\u001b:x:5:5::/:\nuser:x:1000:1000::/:\n\n",
  );
  expect([...users]).toEqual([
    [0, "root"],
    [1000, "user"],
  ]);
});
