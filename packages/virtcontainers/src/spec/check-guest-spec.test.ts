import type { Spec } from "@kata-containers/oci";
import { expect, test } from "vitest";
import { checkGuestProcess, checkGuestSpec } from "./check-guest-spec.ts";

const spec = (change: Partial<Spec>): Spec => ({ ociVersion: "1.2.0", ...change });

test("what docker and podman write reaches the guest", () => {
  const process = { cwd: "/", user: { uid: 0, gid: 0, umask: 0o22 } };
  const seccomp = { defaultAction: "SCMP_ACT_ERRNO", defaultErrnoRet: 1 };
  expect(checkGuestSpec(spec({ domainname: "x", process, linux: { seccomp } }))).toEqual([]);
});

test.each<[string, Partial<Spec>, string]>([
  [
    "a seccomp listener",
    {
      linux: {
        seccomp: {
          defaultAction: "SCMP_ACT_ALLOW",
          listenerPath: "/x",
          syscalls: [{ names: ["mount"], action: "SCMP_ACT_NOTIFY" }],
        },
      },
    },
    "config.json: linux.seccomp.syscalls[0].action: SCMP_ACT_NOTIFY",
  ],
  [
    "an execution domain",
    { linux: { personality: { domain: "LINUX32" } } },
    "config.json: linux.personality: cannot",
  ],
])("%s is refused", (_, change, message) => {
  expect(() => checkGuestSpec(spec(change))).toThrow(message);
});

test("a scheduling policy is refused for an executed process too", () => {
  expect(() => checkGuestProcess({ cwd: "/", scheduler: { policy: "SCHED_FIFO" } })).toThrow(
    "process.scheduler",
  );
});

test("a limit that is lost is told", () => {
  expect(checkGuestSpec(spec({ linux: { resources: { cpu: { burst: 5 } } } }))).toEqual([
    "linux.resources.cpu.burst is not applied: the guest's protocol has no such member",
  ]);
});
