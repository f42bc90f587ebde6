import { SIG, SysError, setOps } from "@kata-containers/sys";
import { afterEach, expect, it } from "vitest";
import { ENDING, FORWARDED, SignalInbox } from "./signal-inbox.ts";
import { recordOps } from "./testing/fake-ops.ts";

afterEach(() => setOps(undefined));

/** Signals by hand: each `send` answers one signalRead. */
function fakeSignals() {
  const waiting: { resolve: (signal: number) => void; reject: (error: Error) => void }[] = [];
  recordOps({
    signalOpen: () => 9,
    signalRead: () => new Promise((resolve, reject) => waiting.push({ resolve, reject })),
    close: () => waiting.shift()?.reject(new SysError("ECANCELED", "read")),
  });
  return async (signal: number) => {
    waiting.shift()?.resolve(signal);
    await new Promise(setImmediate);
  };
}

it("holds signals until somebody takes them, and delivers them in their order", async () => {
  const send = fakeSignals();
  using inbox = new SignalInbox(ENDING);
  await send(SIG.SIGHUP);
  await send(SIG.SIGTERM);
  const taken: number[] = [];
  inbox.deliver((signal) => taken.push(signal));
  await send(SIG.SIGINT);
  expect(taken).toEqual([SIG.SIGHUP, SIG.SIGTERM, SIG.SIGINT]);
});

it("hands over to a later taker", async () => {
  const send = fakeSignals();
  using inbox = new SignalInbox(ENDING);
  const first: number[] = [];
  const second: number[] = [];
  inbox.deliver((signal) => first.push(signal));
  await send(SIG.SIGHUP);
  inbox.deliver((signal) => second.push(signal));
  await send(SIG.SIGINT);
  expect([first, second]).toEqual([[SIG.SIGHUP], [SIG.SIGINT]]);
});

it("forwards what a process may want, and keeps what is about ourselves", () => {
  for (const signal of [
    SIG.SIGHUP,
    SIG.SIGINT,
    SIG.SIGTERM,
    SIG.SIGUSR1,
    SIG.SIGWINCH,
    SIG.SIGCONT,
    SIG.SIGTSTP,
  ]) {
    expect(FORWARDED).toContain(signal);
  }
  for (const signal of [SIG.SIGCHLD, SIG.SIGPIPE, SIG.SIGKILL, SIG.SIGSTOP, SIG.SIGURG, SIG.SIGSEGV]) {
    expect(FORWARDED).not.toContain(signal);
  }
});

it("tells those who wait that no signal can come any more", async () => {
  recordOps({
    signalOpen: () => 9,
    signalRead: () => Promise.reject(new SysError("EIO", "read")),
  });
  using inbox = new SignalInbox(ENDING);
  await expect(inbox.failed).rejects.toThrow("EIO");
});
