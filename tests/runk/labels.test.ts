import { spawnSync } from "node:child_process";
import { existsSync, mkdirSync, readFileSync, symlinkSync } from "node:fs";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import { Bundle, type Change, script } from "./bundle.ts";

/** AppArmor profiles and SELinux labels: what the kernel has not is refused, what it has confines. */

let bundle: Bundle | undefined;
afterEach(async () => {
  await bundle?.close();
  bundle = undefined;
});

function made(text: string, change: Change): Bundle {
  bundle = new Bundle((spec) => {
    script(text)(spec);
    change(spec);
  });
  return bundle;
}

const withProfile =
  (name: string): Change =>
  (spec) => {
    spec.process.apparmorProfile = name;
  };

const withLabel: Change = (spec) => {
  spec.process.selinuxLabel = "system_u:system_r:container_t:s0";
};

const ENABLED = "/sys/module/apparmor/parameters/enabled";
const APPARMOR = existsSync(ENABLED) && readFileSync(ENABLED, "utf8") === "Y\n";
const SELINUX = existsSync("/sys/fs/selinux/enforce");

describe.runIf(APPARMOR)("an AppArmor profile", () => {
  const PROFILE = "runk-test";
  const TEXT = `profile ${PROFILE} flags=(attach_disconnected,mediate_deleted) {\n  file,\n  signal,\n  deny /etc/** r,\n}\n`;
  const parser = (option: string) =>
    expect(spawnSync("apparmor_parser", [option], { input: TEXT, timeout: 60_000 }).status).toBe(0);
  beforeAll(() => parser("--replace"));
  afterAll(() => parser("--remove"));

  test("confines the container, and what is executed in it later", () => {
    const look = "cat /proc/self/attr/current /etc/passwd";
    const confined = {
      stdout: `${PROFILE} (enforce)\n`,
      stderr: expect.stringContaining("Permission denied"),
    };
    const container = made(look, withProfile(PROFILE));
    expect(container.run()).toMatchObject(confined);
    container.configure((spec) => {
      script("sleep 60")(spec);
      withProfile(PROFILE)(spec);
    });
    const id = container.id();
    expect(container.runk("run", "--detach", id).status).toBe(0);
    expect(container.runk("exec", id, "sh", "-c", look)).toMatchObject(confined);
  });

  test("CVE-2023-28642: is not done without where a volume of the attacker's stands in for /proc by a link: there is no container", () => {
    const container = made("cat /proc/self/attr/current", (spec) => {
      withProfile(PROFILE)(spec);
      spec.mounts.unshift({ destination: "/volume", type: "bind", source: "volume", options: ["bind"] });
    });
    mkdirSync(join(container.path, "volume/proc"), { recursive: true });
    symlinkSync("/volume/proc", join(container.rootfs, "proc"));
    expect(container.run()).toMatchObject({
      status: 1,
      stdout: "",
      stderr: expect.stringMatching(/mount proc on \/proc\): ELOOP/),
    });
  });

  test("that the kernel does not know is an error that names it", () => {
    const { status, stderr } = made("true", withProfile("runk-test-none")).run();
    expect(stderr).toContain("runk-test-none");
    expect(status).not.toBe(0);
  });
});

test.skipIf(APPARMOR)("an AppArmor profile where there is none is refused before anything is made", () => {
  const { status, stderr } = made("true", withProfile("docker-default")).run();
  expect(stderr).toContain("process.apparmorProfile: AppArmor is not enabled on this kernel");
  expect(status).not.toBe(0);
});

test.skipIf(SELINUX)("an SELinux label where there is none is refused before anything is made", () => {
  const { status, stderr } = made("true", withLabel).run();
  expect(stderr).toContain("process.selinuxLabel: SELinux is not enabled on this kernel");
  expect(status).not.toBe(0);
});
