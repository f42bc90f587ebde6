import { setOps } from "@kata-containers/sys";
import { afterEach, expect, test } from "vitest";
import { parseGuestProcesses } from "./guest-process.ts";
import { columnsOf, renderProcesses } from "./process-columns.ts";

const row = {
  pid: 1,
  ppid: 0,
  uid: 1000,
  user: "user",
  state: "S",
  tty: "pts/0",
  startedMs: 0,
  cpuMs: 3_723_000,
  rssKb: 4,
  vszKb: 2260,
  nice: 0,
  threads: 1,
  comm: "sleep",
  args: "sleep 5",
};

afterEach(() => setOps(undefined));

/** As the agent would send it. */
function parse(value: unknown) {
  setOps(new Proxy(Object.create(null), { get: () => () => JSON.stringify(value) }));
  return parseGuestProcesses(new Uint8Array());
}

test("columns are ps's: numbers to the right, the last one as it is", () => {
  expect(renderProcesses([row], columnsOf(["-eo", "pid,user,time,etime,cmd"]), 90_000_000)).toBe(
    "  PID USER         TIME     ELAPSED CMD\n    1 user     01:02:03  1-01:00:00 sleep 5\n",
  );
});

test("a process without arguments is shown by its name in brackets", () => {
  expect(renderProcesses([{ ...row, args: "" }], columnsOf(["-o", "args"]), 0)).toBe("COMMAND\n[sleep]\n");
});

test.each([[["-x"]], [["-o"]], [["-o", "pid,toString"]], [["user"]]])("%j is refused", (args) => {
  expect(() => columnsOf(args)).toThrow(/^ps: unknown/);
});

test("what a guest sends is checked: types, and characters that command a terminal", () => {
  expect(parse([{ ...row, args: "\u001b]0;title\u0007\u202eevil" }])[0]?.args).toBe("?]0;title??evil");
  expect(parse([{ ...row, user: undefined }])[0]?.user).toBe("1000");
  for (const bad of [
    {},
    [1],
    [null],
    [{ ...row, pid: "1" }],
    [{ ...row, cpuMs: Number.NaN }],
    [{ ...row, comm: 5 }],
  ])
    expect(() => parse(bad)).toThrow("the agent's list of processes");
});
