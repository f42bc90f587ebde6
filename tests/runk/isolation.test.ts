import {
  chownSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmdirSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { afterEach, expect, test } from "vitest";
import { Bundle, type Change, script } from "./bundle.ts";

let bundle: Bundle;
afterEach(() => bundle.close());

/** A directory of the host's that no container may reach. */
function outside(): string {
  const path = join(bundle.path, "outside");
  mkdirSync(path, { recursive: true });
  return path;
}

const plain: Change = (spec) => {
  spec.root.readonly = false;
};

const mapping = [{ containerID: 0, hostID: 100_000, size: 65_536 }];
const inUserNamespace: Change = (spec) => {
  spec.linux.namespaces = ["pid", "network", "ipc", "uts", "mount", "cgroup", "user"].map((type) => ({
    type,
  }));
  spec.linux.uidMappings = mapping;
  spec.linux.gidMappings = mapping;
};

/** Mount points are made by the namespace's root, so the root directory has to be its own. */
function ownByMappedRoot(): void {
  chownSync(bundle.rootfs, 100_000, 100_000);
}

test("in a user namespace root is an ordinary user of the host's, and has its devices", () => {
  bundle = new Bundle((spec) => {
    script(
      "id -u; cat /proc/self/uid_map; echo x > /dev/null && echo written; grep CapEff /proc/self/status; touch /bin/x",
    )(spec);
    inUserNamespace(spec);
    spec.root.readonly = false;
  });
  ownByMappedRoot();
  const { stdout, stderr } = bundle.run();
  expect(stdout).toMatch(/^0\n +0 +100000 +65536\nwritten\nCapEff:\t0000000020000420\n$/);
  expect(stderr).toContain("Permission denied");
});

test("a process run later in a user namespace is in it", () => {
  bundle = new Bundle((spec) => {
    script("exec sleep 60")(spec);
    inUserNamespace(spec);
  });
  ownByMappedRoot();
  const id = bundle.id();
  expect(bundle.runk("run", "-d", id)).toMatchObject({ status: 0, stderr: "" });
  expect(bundle.runk("exec", id, "cat", "/proc/self/uid_map").stdout).toMatch(/^ +0 +100000 +65536\n$/);
  const { pid } = JSON.parse(bundle.runk("state", id).stdout);
  expect(readFileSync(`/proc/${pid}/status`, "utf8")).toMatch(/^Uid:\t100000\t/m);
});

test.each([
  ["absolute", (to: string) => to],
  ["relative", (to: string) => `../../../../../../../..${to}`],
])("an %s symbolic link in a mount's target stays inside the root", (_kind, link) => {
  bundle = new Bundle((spec) => {
    script("ls /link/sub /file-link; true")(spec);
    plain(spec);
    spec.mounts.push(
      { destination: "/link/sub", type: "tmpfs", source: "tmpfs" },
      { destination: "/link/bound", type: "bind", source: "/etc", options: ["bind"] },
    );
    spec.linux.devices = [{ path: "/link/dev", type: "c", major: 1, minor: 3 }];
    spec.process.cwd = "/link/cwd";
  });
  const target = outside();
  symlinkSync(link(target), join(bundle.rootfs, "link"));
  expect(bundle.run().status).toBe(0);
  expect(readdirSync(target)).toEqual([]);
});

test("a link from the root to the host's /proc, or any link at /proc, is not mounted on (CVE-2019-19921)", () => {
  bundle = new Bundle(plain);
  mkdirSync(join(bundle.rootfs, "tmp/fake"));
  symlinkSync("tmp/fake", join(bundle.rootfs, "proc"));
  const { status, stderr } = bundle.run();
  expect([status, stderr]).toEqual([1, expect.stringMatching(/mount proc on \/proc.*ELOOP/)]);
});

test("masked paths are covered by the host's /dev/null, whatever the container has at /dev/null (CVE-2025-31133)", () => {
  bundle = new Bundle((spec) => {
    script("cat /secret")(spec);
    spec.mounts = spec.mounts.filter(
      (mount) => !("destination" in mount && String(mount.destination).startsWith("/dev")),
    );
    spec.mounts.push({ destination: "/dev", type: "bind", source: "fakedev", options: ["bind"] });
    spec.linux.maskedPaths = ["/secret"];
  });
  mkdirSync(join(bundle.path, "fakedev"));
  symlinkSync("/secret2", join(bundle.path, "fakedev/null"));
  writeFileSync(join(bundle.rootfs, "secret"), "secret");
  writeFileSync(join(bundle.rootfs, "secret2"), "secret2");
  expect(bundle.run()).toMatchObject({ status: 0, stdout: "" });
});

test.each([3, 4, 5, 6, 7, 8, 9])(
  "no working directory leads to the host by descriptor %d (CVE-2024-21626)",
  (fd) => {
    bundle = new Bundle((spec) => {
      script("cat ../../../etc/hostname")(spec);
      plain(spec);
      spec.process.cwd = `/proc/self/fd/${fd}`;
    });
    const { status, stdout } = bundle.run();
    expect(stdout).toBe("");
    expect(status).not.toBe(0);
  },
);

test("/proc/1/exe is no file of the host's while a process enters, and the container's own afterwards (CVE-2019-5736)", () => {
  bundle = new Bundle((spec) => {
    script("readlink /proc/1/exe; exec sleep 60")(spec);
  });
  const id = bundle.id();
  expect(bundle.runk("create", id).status).toBe(0);
  const { pid } = JSON.parse(bundle.runk("state", id).stdout);
  // It waits for start: still kata-launch, from memory.
  expect(readFileSync(`/proc/${pid}/cmdline`, "utf8")).toBe("kata-launch\0");
  expect(readdirSync(`/proc/${pid}/map_files`).length).toBeGreaterThan(0);
  expect(readFileSync(`/proc/${pid}/maps`, "utf8")).toMatch(/\/memfd:kata-launch \(deleted\)/);
});

test("the container has no descriptor of ours, and its namespaces are not the host's", () => {
  bundle = new Bundle(
    // No pipe: the shell that makes one holds an end of it while ls looks.
    script("ls /proc/1/fd; echo; for n in mnt pid ipc uts net; do readlink /proc/self/ns/$n; done"),
  );
  const [fds, namespaces] = bundle.run().stdout.split("\n\n");
  expect(fds).toBe("0\n1\n2");
  const host = readFileSync("/proc/self/mountinfo", "utf8");
  expect(host).not.toContain(bundle.rootfs);
  expect(namespaces?.trimEnd().split("\n")).toHaveLength(5);
});

test("a device that the cgroup does not allow cannot be opened, though it can be made", () => {
  bundle = new Bundle((spec) => {
    script("mknod /dev/mem c 1 1 && head -c 1 /dev/mem; head -c 1 /dev/zero | wc -c")(spec);
    const all = ["CAP_MKNOD", "CAP_SYS_RAWIO"];
    spec.process.capabilities = { bounding: all, effective: all, permitted: all };
  });
  const { stdout, stderr } = bundle.run();
  expect(stderr).toContain("Operation not permitted");
  expect(stdout).toBe("1\n");
});

test("a limit of processes holds", () => {
  bundle = new Bundle((spec) => {
    script("for i in 1 2 3 4 5 6 7 8; do sleep 1 & done; true")(spec);
    spec.linux.resources = { pids: { limit: 4 } };
  });
  expect(bundle.run().stderr).toMatch(/can't fork|Resource temporarily unavailable/);
});

test("a limit of memory holds", () => {
  bundle = new Bundle((spec) => {
    script("dd if=/dev/zero of=/dev/null bs=64M count=1")(spec);
    spec.linux.resources = { memory: { limit: 16 << 20, swap: 16 << 20 } };
  });
  expect(bundle.run().status).not.toBe(0);
});

test("a root that is moved instead of pivoted, as in an initramfs", () => {
  bundle = new Bundle((spec) => {
    script("ls /; mkdir /tmp/x; ls /../.. | wc -l; mount | wc -l")(spec);
    plain(spec);
  });
  writeFileSync(join(bundle.rootfs, "rootfs-mark"), "");
  const pivoted = bundle.run();
  rmdirSync(join(bundle.rootfs, "tmp/x"));
  const moved = bundle.run("--no-pivot");
  expect(moved).toEqual(pivoted);
  expect(moved.stdout).toContain("rootfs-mark\n");
});
