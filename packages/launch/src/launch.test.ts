import { type Ops, SysError, setOps } from "@kata-containers/sys";
import { afterEach, expect, test } from "vitest";
import { launch } from "./launch.ts";

afterEach(() => setOps(undefined));

test("a launch that gets nowhere is killed and waited for, and is DeadlineExceeded", async () => {
  const killed: number[] = [];
  const waited: number[] = [];
  const closed: number[] = [];
  let cancel: () => void = () => {};
  const fake: Partial<Ops> = {
    memfd: () => 3,
    writeSync: () => 0,
    lseek: () => 0,
    utf8Encode: (text) => new TextEncoder().encode(text),
    socketpair: () => [4, 5],
    spawn: () => ({ pid: 70, pidfd: 6 }),
    recvFds: () =>
      new Promise((_, reject) => {
        cancel = () => reject(new SysError("ECANCELED", "recvmsg"));
      }),
    cancel: () => cancel(),
    pidfdSendSignal: (pidfd) => void killed.push(pidfd),
    waitPidfd: async (pidfd) => {
      waited.push(pidfd);
      return { pid: 70, signal: 9 };
    },
    close: (fd) => void closed.push(fd),
  };
  setOps(fake as Ops);
  const plan = { sealed: true, parent: [], stage: [{ op: "setsid" } as const], init: [] };
  const launching = launch(plan, { launchPath: "/kata-launch", fds: [], until: "ready", timeoutMs: 1 });
  await expect(launching).rejects.toMatchObject({ code: "DeadlineExceeded" });
  expect({ killed, waited }).toEqual({ killed: [6], waited: [6] });
  expect(closed.sort()).toEqual([3, 4, 5, 6]);
});
