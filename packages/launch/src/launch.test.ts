import { type Ops, SysError, setOps } from "@kata-containers/sys";
import { afterEach, expect, test } from "vitest";
import { launch, readReport } from "./launch.ts";

afterEach(() => setOps(undefined));

type Received = { readonly data: Uint8Array; readonly fds: number[] };

/** kata-launch as the pidfd 6, of which `messages` come, one each call; notes what is done to it. */
function fakeLaunch(recvFds: () => Promise<Received>, cancel = () => {}) {
  const noted = { killed: new Set<number>(), waited: [] as number[], closed: [] as number[] };
  const fake: Partial<Ops> = {
    memfd: () => 3,
    writeSync: () => 0,
    lseek: () => 0,
    utf8Encode: (text) => new TextEncoder().encode(text),
    utf8Decode: (bytes) => new TextDecoder().decode(bytes),
    socketpair: () => [4, 5],
    spawn: () => ({ pid: 70, pidfd: 6 }),
    recvFds,
    cancel,
    pidfdSendSignal: (pidfd) => void noted.killed.add(pidfd),
    waitPidfd: async (pidfd) => {
      noted.waited.push(pidfd);
      return { pid: 70, signal: 9 };
    },
    close: (fd) => void noted.closed.push(fd),
  };
  setOps(fake as Ops);
  return noted;
}

const staged = { sealed: true, parent: [], stage: [{ op: "setsid" } as const], init: [] };
const options = { launchPath: "/kata-launch", fds: [], until: "ready" } as const;
const message = (text: string, ...fds: number[]) => ({ data: new TextEncoder().encode(text), fds });

test("a launch that gets nowhere is killed and waited for, and is DeadlineExceeded", async () => {
  let cancel: () => void = () => {};
  const noted = fakeLaunch(
    () =>
      new Promise((_, reject) => {
        cancel = () => reject(new SysError("ECANCELED", "recvmsg"));
      }),
    () => cancel(),
  );
  const launching = launch(staged, { ...options, timeoutMs: 1 });
  await expect(launching).rejects.toMatchObject({ code: "DeadlineExceeded" });
  expect(noted).toMatchObject({ killed: new Set([6]), waited: [6] });
  expect(noted.closed.sort()).toEqual([3, 4, 5, 6]);
});

test("a launch without a limit is not ended by time", async () => {
  const messages = [message('{"pid":71}', 9), message('{"ready":true}')];
  const noted = fakeLaunch(async () => {
    await new Promise((resolve) => setImmediate(resolve));
    return messages.shift() ?? message("");
  });
  const { pid } = await launch(staged, { ...options, timeoutMs: Number.POSITIVE_INFINITY });
  expect({ pid, killed: noted.killed.size }).toEqual({ pid: 71, killed: 0 });
});

test("a message that is none fails the launch; what was started before and after it is killed and waited for", async () => {
  const messages = [message("{"), message('{"pid":71}', 9), message("")];
  const noted = fakeLaunch(async () => messages.shift() ?? message(""));
  await expect(launch(staged, options)).rejects.toThrow("kata-launch sent what is no message");
  expect(noted).toMatchObject({ killed: new Set([6, 9]), waited: [6, 9] });
  expect(noted.closed.sort()).toEqual([3, 4, 5, 6, 9]);
});

test("a socket that breaks fails the launch, and leaves nothing running", async () => {
  const messages = [message('{"pid":71}', 9)];
  const noted = fakeLaunch(async () => {
    const next = messages.shift();
    if (next === undefined) throw new SysError("ENFILE", "recvmsg");
    return next;
  });
  await expect(launch(staged, options)).rejects.toThrow("ENFILE");
  expect(noted).toMatchObject({ killed: new Set([6, 9]), waited: [6, 9] });
  expect(noted.closed.sort()).toEqual([3, 4, 5, 6, 9]);
});

test.each([
  ["", undefined],
  [
    '{"error":{"list":"init","index":7,"op":"seccomp","errno":22,"detail":null}}',
    "init step 8 (seccomp): EINVAL (invalid argument)",
  ],
  [
    '{"error":{"list":"init","index":8,"op":"hook","errno":0,"detail":"hook startContainer[0] /h: exit status 1"}}',
    "hook startContainer[0] /h: exit status 1",
  ],
  ['{"error":{"list":"init","index":9,"op":"exec","errno":8,"detail":"/x"}}', "exec /x: exec format error"],
])("what fails after the launch is told without the plan: %s", (text, message) => {
  expect(readReport(text)?.message).toBe(message);
});
