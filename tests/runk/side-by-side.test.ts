import { afterEach, expect, test } from "vitest";
import { Bundle, type Change, script } from "./bundle.ts";
import { V2 } from "./control-group.ts";

/** The same bundle run by runc and by runk: what the container sees has to be the same, line by line. */

let bundle: Bundle | undefined;
afterEach(async () => {
  await bundle?.close();
  bundle = undefined;
});

const DATE = /[A-Z][a-z]{2} +\d+ \d\d:\d\d/g;
const ID = /runk-test-\d+-\d+/g;

/** Runs the script under both and compares; returns what runk's container wrote. */
function compare(text: string, change: Change = () => {}, normalise = (output: string) => output): string {
  const made = new Bundle((spec) => {
    script(text)(spec);
    change(spec);
  });
  bundle = made;
  const clean = (output: string) => normalise(output.replaceAll(DATE, "DATE").replaceAll(ID, "ID"));
  const [runk, runc] = [made.run(), made.runc()];
  expect(runk.stderr.replaceAll(ID, "ID")).toBe(runc.stderr.replaceAll(ID, "ID"));
  expect(clean(runk.stdout)).toBe(clean(runc.stdout));
  expect(runk.status).toBe(runc.status);
  expect(runk.stdout).not.toBe("");
  return runk.stdout;
}

const sortLines = (text: string) => text.split("\n").sort().join("\n");

test("default devices, their modes and owners, and the links", () => {
  const output = compare("ls -l /dev | sed 's/ [0-9]* DATE//'; readlink /dev/fd /dev/ptmx");
  expect(output).toContain("/proc/self/fd");
});

test("mounts, but for those that mask and for the root", () => {
  // A masked file is the host's devtmpfs with us, and the container's own /dev/null with old runc (CVE-2025-31133).
  compare(
    "mount | grep -v -e ' / ' -e ^devtmpfs -e ' on /proc/[a-z_]* type tmpfs' -e ' /sys/firmware ' -e ' /sys/fs/cgroup '",
    undefined,
    sortLines,
  );
});

test("masked paths are empty, read-only paths cannot be written", () => {
  compare(
    "cat /proc/keys | wc -c; ls /sys/firmware /proc/acpi; echo 1 > /proc/sysrq-trigger; touch /proc/sys/x /x",
    undefined,
  );
});

test("user, groups, home, umask and working directory", () => {
  const output = compare("id; umask; pwd; echo $HOME; touch /tmp/x; ls -l /tmp/x | head -c 10", (spec) => {
    spec.process.user = { uid: 1000, gid: 1000, additionalGids: [5, 6], umask: 0o27 };
    spec.process.cwd = "/made/for/it";
    spec.root.readonly = false;
  });
  expect(output).toContain("/home/user");
});

test("capabilities of root and of a user, and no_new_privs", () => {
  const status = "grep -e Cap -e NoNewPrivs /proc/self/status";
  expect(compare(status)).toMatch(/NoNewPrivs:\t1/);
});

test("capabilities of a user who is not root, ambient ones too", () => {
  const output = compare("grep -e Cap -e NoNewPrivs /proc/self/status", (spec) => {
    const all = ["CAP_KILL", "CAP_CHOWN"];
    spec.process.user = { uid: 1000, gid: 1000 };
    spec.process.noNewPrivileges = false;
    spec.process.capabilities = {
      bounding: all,
      effective: all,
      permitted: all,
      inheritable: all,
      ambient: ["CAP_KILL"],
    };
  });
  expect(output).toMatch(/CapAmb:\t0000000000000020\n/);
});

test("resource limits", () => {
  const output = compare("cat /proc/self/limits", (spec) => {
    spec.process.rlimits = [
      { type: "RLIMIT_NOFILE", soft: 100, hard: 200 },
      { type: "RLIMIT_CORE", soft: 0, hard: 0 },
    ];
  });
  expect(output).toMatch(/Max open files +100 +200/);
});

test("namespaces, hostname, domain name, the network's loopback", () => {
  compare('hostname; cat /proc/sys/kernel/domainname; ip addr; all=$(ps); echo "$all" | wc -l');
});

test("environment", () => {
  compare("env", (spec) => {
    spec.process.env = ["PATH=/bin", "A=1=2", "EMPTY="];
  });
});

test("cgroup membership", () => {
  compare("cat /proc/self/cgroup");
});

test("cgroup limits as the container sees them", () => {
  const files = V2
    ? ["memory.max", "memory.low", "cpu.weight", "cpu.max", "pids.max", "cpuset.cpus", "cpuset.mems"]
    : [
        "memory/memory.limit_in_bytes",
        "memory/memory.soft_limit_in_bytes",
        "cpu/cpu.shares",
        "cpu/cpu.cfs_quota_us",
        "cpu/cpu.cfs_period_us",
        "pids/pids.max",
        "cpuset/cpuset.cpus",
        "cpuset/cpuset.mems",
        "devices/devices.list",
      ];
  const output = compare(
    `cd /sys/fs/cgroup; ls; for file in ${files.join(" ")}; do sort $file; done`,
    (spec) => {
      // As `runc spec` does: without it v2 shows all of the host's.
      if (V2) spec.linux.namespaces = [spec.linux.namespaces, { type: "cgroup" }].flat();
      spec.linux.resources = {
        memory: { limit: 64 << 20, reservation: 32 << 20 },
        cpu: { shares: 512, quota: 20_000, period: 50_000, cpus: "0", mems: "0" },
        pids: { limit: 50 },
        devices: [
          { allow: false, access: "rwm" },
          { allow: true, type: "c", major: 10, minor: 200, access: "rwm" },
        ],
      };
    },
  );
  const cpu = V2 ? "20\n20000 50000" : "512\n20000\n50000";
  expect(output).toContain(`${64 << 20}\n${32 << 20}\n${cpu}\n50\n0\n0\n`);
});

test("bind mounts, read-only and not, of a directory and of a file, whose targets are made", () => {
  compare(
    "cat /data/passwd /one; touch /data/x; touch /rw/x && ls /rw; mount | grep -e /data -e /one -e /rw | sed 's/.* on//'",
    (spec) => {
      spec.root.readonly = false;
      spec.mounts.push(
        { destination: "/data", type: "bind", source: "rootfs/etc", options: ["rbind", "ro", "nosuid"] },
        { destination: "/one", type: "bind", source: "/etc/hostname", options: ["bind", "ro"] },
        { destination: "/rw", type: "bind", source: "rootfs/tmp", options: ["rbind", "rw"] },
      );
    },
  );
});

test("extra devices, with their mode and owner", () => {
  const output = compare("ls -l /dev/sub/mine | sed 's/DATE//'", (spec) => {
    spec.linux.devices = [
      { path: "/dev/sub/mine", type: "c", major: 1, minor: 3, fileMode: 0o640, uid: 7, gid: 8 },
    ];
  });
  expect(output).toMatch(/^crw-r----- .* 7 +8 +1, +3 /);
});

test("sysctls of the container's namespaces", () => {
  expect(
    compare("cat /proc/sys/net/ipv4/ip_unprivileged_port_start /proc/sys/kernel/shmmni", (spec) => {
      spec.linux.sysctl = { "net.ipv4.ip_unprivileged_port_start": "80", "kernel.shmmni": "77" };
    }),
  ).toBe("80\n77\n");
});

test("descriptors: the container has its stdio and no other", () => {
  compare("ls /proc/1/fd");
});

test("the exit status, and 128 + the signal", () => {
  compare("echo x; exit 42");
});
