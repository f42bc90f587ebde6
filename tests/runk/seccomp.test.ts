import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, describe, expect, test } from "vitest";
import { Bundle, type Change, script } from "./bundle.ts";

/** Profiles as they are applied: every verdict is the same under runc. */

let bundle: Bundle | undefined;
afterEach(async () => {
  await bundle?.close();
  bundle = undefined;
});

const DOCKER = JSON.parse(readFileSync(join(import.meta.dirname, "../../bench/docker-config.json"), "utf8"))
  .linux.seccomp;

const denying = (name: string, action: string, errnoRet?: number) => ({
  defaultAction: "SCMP_ACT_ALLOW",
  syscalls: [{ names: [name], action, ...(errnoRet === undefined ? {} : { errnoRet }) }],
});

function profiled(seccomp: object, text: string, change: Change = () => {}): Bundle {
  bundle = new Bundle((spec) => {
    script(text)(spec);
    spec.linux.seccomp = seccomp;
    spec.root.readonly = false;
    change(spec);
  });
  return bundle;
}

/** What runk's container wrote; the same as runc's, and the same status. */
function compare(seccomp: object, text: string, change?: Change): { status: number | null; stdout: string } {
  const made = profiled(seccomp, text, change);
  const [runk, runc] = [made.run(), made.runc()];
  expect(runk).toEqual(runc);
  return runk;
}

const CASES: readonly (readonly [string, Change])[] = [
  ["with no_new_privs", () => {}],
  [
    "without no_new_privs",
    (spec) => {
      spec.process.noNewPrivileges = false;
    },
  ],
  [
    "as user 1000 with no_new_privs",
    (spec) => {
      spec.process.user = { uid: 1000, gid: 1000 };
    },
  ],
  [
    "as user 1000 without no_new_privs",
    (spec) => {
      spec.process.user = { uid: 1000, gid: 1000 };
      spec.process.noNewPrivileges = false;
    },
  ],
];

describe.each(CASES)("%s", (_, change) => {
  test("docker's default profile is in force: a call it has not is refused, all else works", () => {
    const text =
      "grep -e Seccomp: -e NoNewPrivs /proc/self/status; date -s @0; echo $?; ls / >/dev/null && echo listed";
    const { status, stdout } = compare(DOCKER, text, change);
    expect(stdout).toContain("Seccomp:\t2\n");
    expect(stdout).toMatch(/listed\n$/);
    expect(status).toBe(0);
  });

  test("a call that the profile refuses gets its errno", () => {
    const { stdout } = compare(
      denying("mkdir", "SCMP_ACT_ERRNO", 28),
      "mkdir /tmp/x 2>&1; mkdir -p /proc/x 2>&1",
      change,
    );
    expect(stdout).toContain("No space left on device");
  });

  test("without one, EPERM", () => {
    const { stdout } = compare(denying("mkdir", "SCMP_ACT_ERRNO"), "mkdir /tmp/x 2>&1", change);
    expect(stdout).toContain("Operation not permitted");
  });

  test.each(["SCMP_ACT_KILL", "SCMP_ACT_KILL_THREAD", "SCMP_ACT_KILL_PROCESS", "SCMP_ACT_TRAP"])(
    "%s ends the process by SIGSYS",
    (action) => {
      const { status, stdout } = compare(denying("mkdir", action), "echo before; exec mkdir /tmp/x", change);
      expect({ status, stdout }).toEqual({ status: 159, stdout: "before\n" });
    },
  );

  test("another process of the container has the filter too", () => {
    const made = profiled(denying("mkdir", "SCMP_ACT_ERRNO", 28), "sleep 60", change);
    const id = made.id();
    expect(made.runk("run", "--detach", id)).toMatchObject({ status: 0, stderr: "" });
    const exec = made.runk("exec", id, "sh", "-c", "grep Seccomp: /proc/self/status; mkdir /tmp/x");
    expect(exec.stdout).toBe("Seccomp:\t2\n");
    expect(exec.stderr).toContain("No space left on device");
  });
});

test("a default with an errno of its own", () => {
  const names = DOCKER.syscalls.flatMap(({ names }: { names: string[] }) => names);
  const allowed = names.filter((name: string) => !name.startsWith("mkdir"));
  const profile = {
    defaultAction: "SCMP_ACT_ERRNO",
    defaultErrnoRet: 28,
    architectures: DOCKER.architectures,
    syscalls: [{ names: allowed, action: "SCMP_ACT_ALLOW" }],
  };
  expect(compare(profile, "mkdir /tmp/x 2>&1").stdout).toContain("No space left on device");
});

test.each([
  [0o777n, "Operation not permitted"],
  [2n ** 63n + 0o777n, "made"],
])("a mask of 64 bits reaches the kernel whole: mkdir's mode compared with %d", (value, expected) => {
  const args = [{ index: 1, value: "MASK", valueTwo: "VALUE", op: "SCMP_CMP_MASKED_EQ" }];
  const made = profiled(
    { defaultAction: "SCMP_ACT_ALLOW", syscalls: [{ names: ["mkdir"], action: "SCMP_ACT_ERRNO", args }] },
    "mkdir /tmp/a 2>&1 && rm -r /tmp/a && echo made",
  );
  const file = join(made.path, "config.json");
  const text = readFileSync(file, "utf8").replace('"MASK"', `${2n ** 64n - 1n}`);
  writeFileSync(file, text.replace('"VALUE"', `${value}`));
  const [runk, runc] = [made.run(), made.runc()];
  expect(runk).toEqual(runc);
  expect(runk.stdout).toContain(expected);
});

test.each([true, false])(
  "the program that is started may be one of a profile without execveat, statx and faccessat2 (no_new_privs: %s)",
  (noNewPrivileges) => {
    const profile = { ...denying("execveat", "SCMP_ACT_ERRNO") };
    profile.syscalls.push({ names: ["statx", "faccessat2"], action: "SCMP_ACT_ERRNO" });
    const { stdout } = compare(profile, "echo ran", (spec) => {
      spec.process.noNewPrivileges = noNewPrivileges;
    });
    expect(stdout).toBe("ran\n");
  },
);
