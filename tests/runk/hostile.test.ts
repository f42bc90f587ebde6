import { spawnSync } from "node:child_process";
import { mkdirSync, readFileSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, expect, test } from "vitest";
import { Bundle, type Change, script, type Writable } from "./bundle.ts";

let bundle: Bundle;
afterEach(() => bundle.close());

type Volume = { readonly destination: string; readonly source: string };

/** Volumes where the image's author wants them. */
const withMounts =
  (...volumes: readonly Volume[]): Change =>
  (spec) => {
    spec.root.readonly = false;
    spec.mounts.push(...volumes.map((volume) => ({ type: "bind", options: ["bind"], ...volume })));
  };

/** Instead of the tmpfs at /dev a directory of the image's. */
function ownDev(spec: Writable): void {
  spec.mounts = spec.mounts.filter(
    (mount) => !("destination" in mount && /^\/dev(\/|$)/.test(String(mount.destination))),
  );
  spec.root.readonly = false;
}

/** Runs on a mount namespace of its own that `prepare` (shell) changes first. */
function runPrepared(prepare: string): { status: number | null; stdout: string; stderr: string } {
  const command = bundle.command("run", "--bundle", bundle.path, bundle.id());
  const wrapped = ["--mount", "--propagation", "private", "sh", "-ec", `${prepare}; exec "$@"`, "sh"];
  return spawnSync("unshare", [...wrapped, ...command], { encoding: "utf8", timeout: 20_000, input: "" });
}

function runInTerminal(): string {
  const command = bundle.command("run", "--bundle", bundle.path, bundle.id()).join(" ");
  const options = { encoding: "utf8", timeout: 20_000, input: "" } as const;
  return spawnSync("script", ["-qec", command, "/dev/null"], options).stdout;
}

test.each(["/proc/self/attr", "/proc/sys", "/proc/../proc/./self//attr", "proc/1"])(
  "a volume at %s is refused before anything is made (CVE-2019-16884)",
  (destination) => {
    bundle = new Bundle(withMounts({ destination, source: "/var/empty" }));
    const { status, stderr } = bundle.run();
    expect(status).toBe(1);
    expect(stderr).toMatch(
      /config\.json: mounts\[\d+\]: .*\/proc\/.* cannot be mounted because it is inside \/proc/,
    );
  },
);

test("a volume that a link of the image leads below /proc is refused (CVE-2019-16884)", () => {
  bundle = new Bundle(withMounts({ destination: "/link/sys/kernel", source: "/tmp" }));
  symlinkSync("/proc", join(bundle.rootfs, "link"));
  const { status, stderr } = bundle.run();
  expect(status).toBe(1);
  expect(stderr).toMatch(/bind \/tmp on \/link\/sys\/kernel\): resolves to .*EPERM/);
});

test("what is bound on /proc itself has to be procfs (CVE-2019-16884)", () => {
  bundle = new Bundle((spec) => {
    script("readlink /proc/self")(spec);
    spec.mounts = [{ destination: "/proc", type: "bind", source: "/tmp", options: ["rbind"] }];
  });
  mkdirSync(join(bundle.rootfs, "proc"));
  expect(bundle.run()).toMatchObject({
    status: 1,
    stderr: expect.stringMatching(/bind \/tmp on \/proc.*EPERM/),
  });
  bundle.configure((spec) => {
    script("ls /proc/self/attr > /dev/null && echo real")(spec);
    spec.mounts = [{ destination: "/proc", type: "bind", source: "/proc", options: ["rbind"] }];
    spec.linux.maskedPaths = [];
    spec.linux.readonlyPaths = [];
    spec.root.readonly = false;
  });
  expect(bundle.run()).toMatchObject({ status: 0, stdout: "real\n" });
});

test("another file system on /proc is refused (CVE-2019-16884)", () => {
  bundle = new Bundle((spec) => {
    spec.mounts = [{ destination: "/proc/", type: "tmpfs", source: "tmpfs" }];
  });
  expect(bundle.run().stderr).toMatch(/"\/proc.*cannot be mounted because it is not of type proc/);
});

test("a file that stands in for the kernel's figures (lxcfs) is mounted", () => {
  bundle = new Bundle((spec) => {
    script("cat /proc/uptime")(spec);
    withMounts({ destination: "/proc/uptime", source: "figures" })(spec);
  });
  writeFileSync(join(bundle.path, "figures"), "from outside\n");
  expect(bundle.run()).toMatchObject({ status: 0, stdout: "from outside\n" });
});

test.each(["proc", "sys"])(
  "an image whose /%s is a link gets no such mount (CVE-2019-19921, CVE-2023-27561, CVE-2023-28642)",
  (name) => {
    bundle = new Bundle((spec) => {
      spec.root.readonly = false;
      if (!spec.mounts.some((mount) => "destination" in mount && mount.destination === "/sys"))
        spec.mounts.push({ destination: "/sys", type: "sysfs", source: "sysfs" });
    });
    mkdirSync(join(bundle.rootfs, "tmp/fake"));
    symlinkSync("tmp/fake", join(bundle.rootfs, name));
    expect(bundle.run()).toMatchObject({ status: 1, stderr: expect.stringContaining("ELOOP") });
  },
);

test("a /dev/null of the host that is none masks nothing silently (CVE-2025-31133)", () => {
  bundle = new Bundle((spec) => {
    script("cat /etc/passwd")(spec);
    spec.linux.maskedPaths = ["/etc/passwd"];
  });
  const fake = join(bundle.path, "null");
  writeFileSync(fake, "");
  const { status, stdout, stderr } = runPrepared(`mount --bind ${fake} /dev/null`);
  expect([status, stdout]).toEqual([1, ""]);
  expect(stderr).toMatch(/mask \/etc\/passwd\): the host's \/dev\/null: ENXIO/);
});

test("a terminal is not mounted on a /dev/console that leads to /proc (CVE-2025-52565)", () => {
  bundle = new Bundle((spec) => {
    ownDev(spec);
    spec.process.terminal = true;
    spec.mounts.push({ destination: "/dev/pts", type: "devpts", source: "devpts", options: ["newinstance"] });
  });
  mkdirSync(join(bundle.rootfs, "dev"));
  symlinkSync("/proc/version", join(bundle.rootfs, "dev/console"));
  expect(runInTerminal()).toMatch(/console\): \/dev\/console resolves to procfs: EPERM/);
});

test.each([
  ["a file", "touch"],
  ["a FIFO, which would hold us up", "mkfifo"],
  ["the null device", "node c 1 3"],
  ["the multiplexer of whatever devpts is beside it", "node c 5 2"],
])("%s at /dev/pts/ptmx is not taken for a terminal", (_what, make) => {
  bundle = new Bundle((spec) => {
    ownDev(spec);
    spec.process.terminal = true;
  });
  const pts = join(bundle.rootfs, "dev/pts");
  mkdirSync(pts, { recursive: true });
  const [program = "", ...type] = make.replace("node", "mknod").split(" ");
  expect(spawnSync(program, [join(pts, "ptmx"), ...type]).status).toBe(0);
  expect(runInTerminal()).toMatch(/console\): \/dev\/pts\/ptmx: ENXIO/);
});

test("a sysctl is written to the kernel's own file, or not at all (CVE-2019-16884, CVE-2025-52881)", () => {
  bundle = new Bundle((spec) => {
    spec.linux.sysctl = { "kernel.shmmax": "4096" };
  });
  // A namespace's own files cannot be covered from outside of it; their directory can.
  const decoy = join(bundle.path, "kernel");
  mkdirSync(join(decoy, "seccomp"), { recursive: true });
  for (const file of ["cap_last_cap", "seccomp/actions_avail"])
    writeFileSync(join(decoy, file), readFileSync(join("/proc/sys/kernel", file)));
  writeFileSync(join(decoy, "shmmax"), "untouched");
  const { status, stderr } = runPrepared(`mount --bind ${decoy} /proc/sys/kernel`);
  expect([status, readFileSync(join(decoy, "shmmax"), "utf8")]).toEqual([1, "untouched"]);
  expect(stderr).toMatch(/write .* to \/proc\/sys\/kernel\/shmmax\): EXDEV/);
});
