import { setOps } from "@kata-containers/sys";
import { afterEach, expect, test } from "vitest";
import { type Console, openConsole } from "./console.ts";
import { nodeFiles } from "./testing/node-files.ts";

const OURS = 10;
const THEIRS = 11;

afterEach(() => setOps(undefined));

/** A console on which the guest says these pieces, and which then ends; and what was closed. */
function consoleThatHears(...pieces: string[]): { console: Console; closed: number[] } {
  const closed: number[] = [];
  const read = async (fd: number): Promise<Uint8Array> => {
    expect(fd).toBe(OURS);
    return new TextEncoder().encode(pieces.shift() ?? "");
  };
  setOps(nodeFiles({ socketpair: () => [OURS, THEIRS], read, close: (fd) => void closed.push(fd) }));
  return { console: openConsole(undefined), closed };
}

test("the line in which the kernel says why it died is kept, the first of them, without its time", async () => {
  const { console } = consoleThatHears(
    "[    0.512345] Run /init as init process\r\n[    1.0000",
    "01] Kernel panic - not syncing: No working init found.\r\n[    1.000002] CPU: 0 PID: 1 Comm: swapper\r\n",
    "[    1.100000] Kernel panic - not syncing: again\r\n[    1.200000] Rebooting in 1 seconds..\r\n",
  );
  await console.ended;
  expect(console.panic()).toBe("Kernel panic - not syncing: No working init found.");
  expect(console.lastLine()).toBe("Rebooting in 1 seconds..");
});

test("a guest that lives has no panic, even when it speaks of one; its last line is known, empty ones do not count", async () => {
  const { console } = consoleThatHears("sysctl: no Kernel panic\nkata-agent: a word\n\n  \n");
  await console.ended;
  expect(console.panic()).toBe("");
  expect(console.lastLine()).toBe("kata-agent: a word");
});

test("a guest that says nothing leaves both empty, and the descriptor is given back", async () => {
  const { console, closed } = consoleThatHears();
  await console.ended;
  expect([console.panic(), console.lastLine()]).toEqual(["", ""]);
  expect(console.vmmFd).toBe(THEIRS);
  expect(closed).toEqual([OURS]);
});

test("a line without an end does not fill the memory: the console ends, and what was heard before stays", async () => {
  const { console, closed } = consoleThatHears("before\n", ...Array(20).fill("y".repeat(4096)));
  await console.ended;
  expect(console.lastLine()).toBe("before");
  expect(closed).toEqual([OURS]);
});
