import { Fd, KataError, setOps } from "@kata-containers/sys";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { StateTransfer } from "./saved-state.ts";

let commands: unknown[][];
/** What QEMU does before it answers a command. */
let meanwhile: (name: string) => void;
let transfer: StateTransfer;
const command = async (name: string, args: object, fds?: readonly number[]) => {
  commands.push(fds === undefined ? [name, args] : [name, args, fds]);
  meanwhile(name);
  return name === "query-migrate" ? { status: "failed", "error-desc": "Bad file descriptor" } : {};
};
const state = new Fd(7);

beforeEach(() => {
  vi.useFakeTimers();
  commands = [];
  meanwhile = () => {};
  transfer = new StateTransfer(command);
});
afterEach(() => {
  expect(vi.getTimerCount()).toBe(0);
  vi.useRealTimers();
  setOps(undefined);
});

const says = (status: string): void => transfer.migrationEvent({ status });
/** Lets the commands be answered. */
const settle = () => vi.advanceTimersByTimeAsync(0);

const CAPABILITIES = {
  capabilities: [
    { capability: "x-ignore-shared", state: true },
    { capability: "events", state: true },
  ],
};

test("a VM stands still before its state is written, which takes until QEMU says so", async () => {
  let written = false;
  const writing = transfer.write(state).then(() => {
    written = true;
  });
  await settle();
  expect(commands).toEqual([
    ["stop", {}],
    ["migrate-set-capabilities", CAPABILITIES],
    ["getfd", { fdname: "state" }, [7]],
    ["migrate", { uri: "fd:state" }],
  ]);
  for (const status of ["setup", "active"]) says(status);
  transfer.migrationEvent(undefined);
  await settle();
  expect(written).toBe(false);
  says("completed");
  await writing;
});

test("a state is read by a QEMU that does not run, which is not told to stop", async () => {
  const reading = transfer.read(state);
  await settle();
  expect(commands).toEqual([
    ["migrate-set-capabilities", CAPABILITIES],
    ["getfd", { fdname: "state" }, [7]],
    ["migrate-incoming", { uri: "fd:state" }],
  ]);
  says("completed");
  await reading;
});

test("what QEMU says before it answers the command counts", async () => {
  meanwhile = (name) => {
    if (name === "migrate-incoming") says("completed");
  };
  await transfer.read(state);
  meanwhile = (name) => {
    if (name === "migrate") says("failed");
  };
  await expect(transfer.write(state)).rejects.toThrow("QEMU: migrate failed");
});

test("when it fails QEMU is asked why", async () => {
  const outcome = expect(transfer.read(state)).rejects.toMatchObject({
    code: "Internal",
    message: "QEMU: migrate-incoming failed: Bad file descriptor",
  });
  await settle();
  says("failed");
  await outcome;
  expect(commands.at(-1)).toEqual(["query-migrate", {}]);
});

test("a QEMU that has ended meanwhile is not heard of its reason, and it failed all the same", async () => {
  meanwhile = (name) => {
    if (name === "query-migrate") throw new KataError("Unavailable", "QMP: closed");
  };
  const outcome = expect(transfer.read(state)).rejects.toThrow(
    "QEMU: migrate-incoming failed: no reason given",
  );
  await settle();
  says("failed");
  await outcome;
});

test("a command that QEMU refuses ends it, and nothing goes on in the background", async () => {
  meanwhile = (name) => {
    if (name === "migrate") throw new KataError("Internal", "QMP: GenericError: no");
  };
  await expect(transfer.write(state)).rejects.toThrow("QMP: GenericError: no");
});

test("a QEMU that does not say that it is done is waited for ten seconds", async () => {
  const outcome = expect(transfer.write(state)).rejects.toMatchObject({
    code: "DeadlineExceeded",
    message: "QEMU: migrate did not end within 10000 ms",
  });
  await vi.advanceTimersByTimeAsync(9_999);
  expect(vi.getTimerCount()).toBe(1);
  await vi.advanceTimersByTimeAsync(1);
  await outcome;
});
