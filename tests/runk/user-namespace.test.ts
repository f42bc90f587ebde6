import { execFileSync } from "node:child_process";
import { chownSync, mkdirSync, readdirSync, rmdirSync, symlinkSync } from "node:fs";
import { join } from "node:path";
import { afterEach, expect, test } from "vitest";
import { Bundle, type Change, type Result, script, type Writable } from "./bundle.ts";

/** A container in a user namespace, and in others over which that has no rights: another container's, or the host's. */

let bundle: Bundle;
afterEach(() => bundle.close());

/** Who the container's root is on the host. */
const ROOT = 100_000;

/** A container that has a bridge in its network namespace and a message queue in its IPC namespace. @returns its process */
function startOther(change: Change = () => {}): number {
  bundle = new Bundle((spec) => {
    script("touch /dev/mqueue/theirs; exec sleep 60")(spec);
    change(spec);
  });
  chownSync(bundle.rootfs, ROOT, ROOT);
  const id = bundle.id();
  expect(bundle.runk("run", "--detach", id)).toMatchObject({ status: 0, stderr: "" });
  const { pid } = JSON.parse(bundle.runk("state", id).stdout);
  execFileSync("nsenter", [`--net=/proc/${pid}/ns/net`, "ip", "link", "add", "theirs", "type", "bridge"]);
  return pid;
}

/** Gives it new namespaces, that of users among them. */
function makes(spec: Writable, ...types: readonly string[]): void {
  spec.linux.namespaces = ["user", "mount", "uts", ...types].map((type) => ({ type }));
  spec.linux.uidMappings = [{ containerID: 0, hostID: ROOT, size: 65_536 }];
  spec.linux.gidMappings = spec.linux.uidMappings;
}

/** Has it join namespaces of a process. */
function joins(spec: Writable, pid: number, ...types: readonly string[]): void {
  const path = (type: string) => `/proc/${pid}/ns/${type === "network" ? "net" : type}`;
  (spec.linux.namespaces as object[]).push(...types.map((type) => ({ type, path: path(type) })));
}

/** Another container of the same bundle. */
function run(text: string, change: Change): Result {
  bundle.configure((spec) => {
    script(text)(spec);
    change(spec);
  });
  return bundle.run();
}

function output(text: string, change: Change): string {
  const { status, stdout, stderr } = run(text, change);
  expect({ status, stderr }).toEqual({ status: 0, stderr: "" });
  return stdout;
}

test("it sees the interfaces and queues of the namespaces that it joins, mounted as asked", () => {
  const pid = startOther();
  const look =
    "id -u; ls /sys/class/net; ls /dev/mqueue; ls /sys/firmware; grep -E ' /(sys|dev/mqueue) ' /proc/mounts";
  const stdout = output(look, (spec) => {
    makes(spec, "pid", "cgroup");
    joins(spec, pid, "network", "ipc");
  });
  expect(stdout.split("\n")).toEqual([
    "0",
    "lo",
    "theirs",
    "theirs",
    "mqueue /dev/mqueue mqueue rw,nosuid,nodev,noexec,relatime 0 0",
    "sysfs /sys sysfs ro,nosuid,nodev,noexec,relatime 0 0",
    "",
  ]);
});

test("its root is an ordinary user there, whatever it remounts", () => {
  const writable: Change = ({ mounts }) => {
    for (const mount of mounts)
      if ("type" in mount && mount.type === "sysfs") Object.assign(mount, { options: [] });
  };
  const pid = startOther(writable);
  const text =
    "exec 2>&1; mount -o remount,bind,rw /sys; echo x > /sys/class/net/theirs/ifalias; rm /dev/mqueue/theirs";
  const { stdout } = run(text, (spec) => {
    makes(spec, "pid", "cgroup");
    joins(spec, pid, "network", "ipc");
    const { capabilities } = spec.process as { capabilities: Record<string, string[]> };
    for (const set of Object.values(capabilities))
      set.push("CAP_SYS_ADMIN", "CAP_DAC_OVERRIDE", "CAP_FOWNER");
  });
  expect(stdout.split("\n")).toEqual([
    "sh: can't create /sys/class/net/theirs/ifalias: Permission denied",
    "rm: can't remove '/dev/mqueue/theirs': Operation not permitted",
    "",
  ]);
});

test("it sees the processes and control groups of the namespaces that it joins", () => {
  const pid = startOther((spec) => (spec.linux.namespaces as object[]).push({ type: "cgroup" }));
  // The one process of the other's group, in each version's own place.
  const text =
    "head -c 5 /proc/1/cmdline; echo; cd /sys/fs/cgroup; cat pids/cgroup.procs || cat cgroup.procs";
  const { status, stdout } = run(text, (spec) => {
    makes(spec);
    joins(spec, pid, "network", "ipc", "pid", "cgroup");
  });
  expect({ status, stdout }).toEqual({ status: 0, stdout: "sleep\n1\n" });
});

test("it sees the host's where it has none", () => {
  bundle = new Bundle();
  chownSync(bundle.rootfs, ROOT, ROOT);
  const stdout = output(
    `ls /sys/class/net; ls -d /proc/${process.pid}; grep -c mqueue /proc/mounts`,
    (spec) => makes(spec),
  );
  expect(stdout).toBe(`${hostInterfaces()}/proc/${process.pid}\n1\n`);
});

test("in a user namespace that it joins it sees what is owned there, and what is not", () => {
  const pid = startOther((spec) => makes(spec, "network", "ipc", "pid"));
  const look = (join: Change) =>
    output("id -u; ls /sys/class/net", (spec) => {
      spec.linux.namespaces = [{ type: "mount" }, { type: "uts" }, { type: "pid" }];
      joins(spec, pid, "user");
      join(spec);
    });
  expect(look((spec) => joins(spec, pid, "network", "ipc"))).toBe("0\nlo\ntheirs\n");
  expect(look((spec) => joins(spec, process.pid, "network", "ipc"))).toBe(`0\n${hostInterfaces()}`);
  expect(look(() => {})).toBe(`0\n${hostInterfaces()}`);
});

const hostInterfaces = () => `${readdirSync("/sys/class/net").sort().join("\n")}\n`;

test("no link is a place for /sys, and none leads out of the root", () => {
  bundle = new Bundle();
  chownSync(bundle.rootfs, ROOT, ROOT);
  const outside = join(bundle.path, "outside");
  mkdirSync(outside);
  chownSync(outside, ROOT, ROOT);
  symlinkSync(outside, join(bundle.rootfs, "queues"));
  const queues: Change = (spec) => {
    makes(spec, "pid");
    spec.mounts.push({ destination: "/queues/here", type: "mqueue", source: "mqueue" });
  };
  expect(output(`grep -c ' ${outside}/here mqueue ' /proc/mounts`, queues)).toBe("1\n");
  expect(readdirSync(outside)).toEqual([]);
  rmdirSync(join(bundle.rootfs, "sys"));
  symlinkSync("tmp", join(bundle.rootfs, "sys"));
  const { status, stderr } = run("true", (spec) => makes(spec, "pid"));
  expect(status).toBe(1);
  expect(stderr).toMatch(/\(bind sysfs on \/sys\): ELOOP/);
});
