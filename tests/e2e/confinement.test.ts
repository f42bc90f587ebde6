import { readdirSync, readFileSync, readlinkSync, statSync, writeFileSync } from "node:fs";
import { connect } from "node:net";
import { dirname, join } from "node:path";
import { beforeAll, describe, expect, it } from "vitest";
import { findTraces, hashOf } from "../harness/leaks.ts";
import { testConfiguration } from "../harness/programs.ts";
import { useSharedRuntime } from "../harness/runtime.ts";

const runtime = useSharedRuntime();
const pids = new Map<string, number>();

beforeAll(async () => {
  await runtime.start();
  for (const line of findTraces(runtime.traces())) {
    const [, pid, program] =
      /^process (\d+): (?:\S*\/)?(qemu|virtiofsd|containerd-shim-kata-v2|kata-shim)/.exec(line) ?? [];
    // virtiofsd may have forked; the first is the parent.
    if (pid !== undefined && program !== undefined && !pids.has(program)) pids.set(program, Number(pid));
  }
});

function pidOf(program: string): number {
  const pid = pids.get(program);
  if (pid === undefined) throw new Error(`${program} does not run: ${[...pids]}`);
  return pid;
}

const status = (program: string, field: string) =>
  new RegExp(`^${field}:\\s+(.*)$`, "m").exec(readFileSync(`/proc/${pidOf(program)}/status`, "utf8"))?.[1];

/** Names of namespaces that a program has of its own. */
const ownNamespaces = (program: string) =>
  ["cgroup", "ipc", "mnt", "net", "pid", "user", "uts"].filter(
    (name) => readlinkSync(`/proc/${pidOf(program)}/ns/${name}`) !== readlinkSync(`/proc/self/ns/${name}`),
  );

it("QEMU, virtiofsd and kata-shim are in the sandbox's cgroup, the daemon in one beside it", () => {
  const hash = hashOf(runtime.root, runtime.traces().ids[0] ?? "");
  const cgroups = (program: string) =>
    readFileSync(`/proc/${pidOf(program)}/cgroup`, "utf8")
      .trim()
      .split("\n")
      .filter((line) => line.includes(":memory:") || line.startsWith("0::/kata"))
      .map((line) => line.split(":")[2]);
  for (const program of ["qemu", "virtiofsd", "kata-shim"])
    expect(new Set(cgroups(program)), program).toEqual(new Set([`/kata_${hash}`]));
  expect(new Set(cgroups("containerd-shim-kata-v2"))).toEqual(new Set([`/kata_daemon_${hash}`]));
});

describe("QEMU", () => {
  it("has no capability, no new privileges, and a seccomp filter", () => {
    for (const set of ["CapEff", "CapPrm", "CapInh", "CapAmb"])
      expect(status("qemu", set), set).toMatch(/^0+$/);
    expect(status("qemu", "NoNewPrivs")).toBe("1");
    expect(status("qemu", "Seccomp")).toBe("2");
  });

  it("sees a root of its own, without the host's files", () => {
    const root = readdirSync(`/proc/${pidOf("qemu")}/root`);
    // Kernel and initrd are at their configured paths, and nothing is beside those: the clone may be in /root or /home.
    const { kernel, initrd } = testConfiguration().hypervisor;
    const kept = [kernel, initrd];
    for (const name of ["home", "root", "var", "proc", "sys"])
      if (!kept.some((file) => file.startsWith(`/${name}/`))) expect(root, name).not.toContain(name);
    for (const file of kept)
      for (let folder = dirname(file); folder !== "/"; folder = dirname(folder)) {
        const there = readdirSync(`/proc/${pidOf("qemu")}/root${folder}`).map((name) => join(folder, name));
        const others = there.filter(
          (path) => !kept.some((file) => file === path || file.startsWith(`${path}/`)),
        );
        expect(others, folder).toEqual([]);
      }
    // What the dynamic loader needs, and nothing else of the host's configuration.
    if (root.includes("etc")) {
      const names = readdirSync(`/proc/${pidOf("qemu")}/root/etc`);
      expect(names.filter((name) => !name.startsWith("ld.so."))).toEqual([]);
    }
    const mounts = readFileSync(`/proc/${pidOf("qemu")}/mountinfo`, "utf8");
    expect(mounts).not.toContain(runtime.scratch.path);
    expect(readlinkSync(`/proc/${pidOf("qemu")}/ns/mnt`)).not.toBe(readlinkSync("/proc/self/ns/mnt"));
  });

  it("has neither the host's network nor another process to signal or trace", () => {
    expect(ownNamespaces("qemu")).toEqual(["ipc", "mnt", "net", "pid", "uts"]);
    expect(status("qemu", "NSpid")).toMatch(/\t1$/);
  });

  it("holds only sockets, pipes, memory, event descriptors, and the devices on its list", () => {
    const allowed = /^(socket:|pipe:|anon_inode:|\/memfd:|\/dev\/(null|urandom|kvm|vhost-vsock|net\/tun)$)/;
    const targets = readdirSync(`/proc/${pidOf("qemu")}/fd`).map((fd) =>
      readlinkSync(`/proc/${pidOf("qemu")}/fd/${fd}`),
    );
    expect(targets.filter((target) => !allowed.test(target))).toEqual([]);
  });
});

describe("virtiofsd", () => {
  const mounts = () =>
    readFileSync(`/proc/${pidOf("virtiofsd")}/mountinfo`, "utf8")
      .trim()
      .split("\n")
      .map((line) => ({ place: line.split(" ")[4] ?? "", flags: (line.split(" ")[5] ?? "").split(",") }))
      .sort((a, b) => a.place.length - b.place.length);

  it("keeps the capabilities of file ownership only, no new privileges, and a seccomp filter", () => {
    // capabilities(7): chown, dac_override, fowner, fsetid, setgid, setuid, mknod, setfcap.
    expect(status("virtiofsd", "CapEff")).toBe("00000000880000db");
    expect(status("virtiofsd", "CapPrm")).toBe("00000000880000db");
    expect(status("virtiofsd", "NoNewPrivs")).toBe("1");
    expect(status("virtiofsd", "Seccomp")).toBe("2");
  });

  it("has a mount namespace with itself and the share, and no other process to signal or trace", () => {
    expect(ownNamespaces("virtiofsd")).toEqual(["ipc", "mnt", "net", "pid", "uts"]);
    expect(status("virtiofsd", "NSpid")).toMatch(/\t1$/);
    const pid = pidOf("virtiofsd");
    const way = readdirSync(`/proc/${pid}/fd`).filter((fd) =>
      /^\/proc\/\d+\/fd$/.test(readlinkSync(`/proc/${pid}/fd/${fd}`)),
    );
    // The descriptor of its /proc/self/fd leads around its change of root: to this, and no further.
    expect(way).toHaveLength(1);
    const root = `/proc/${pid}/fd/${way[0]}/../../..`;
    const names = readdirSync(root);
    expect(names.filter((name) => !/^(lib64|lib|usr|etc|proc|share)$/.test(name))).toEqual([]);
    expect(readdirSync(`${root}/proc`).filter((name) => /^\d+$/.test(name))).toEqual(["1"]);
    expect(() => writeFileSync(`${root}/proc/sys/kernel/hostname`, "x")).toThrow("EROFS");
  });

  it("has the share as its root, where a guest can write to the trees alone", () => {
    const [root, ...trees] = mounts();
    expect(root?.place).toBe("/");
    expect(root?.flags).toContain("ro");
    expect(trees.map(({ place }) => place)).toEqual([expect.stringMatching(/^\/e2e-.*\/rootfs$/)]);
    expect(trees[0]?.flags).toContain("rw");
  });

  it("cannot write to a root file system that config.json has read-only", async () => {
    const id = await runtime.start({
      edit: ({ root }) => Object.assign(root, { readonly: true }),
    });
    const server = findTraces({ root: runtime.root, ids: [id] })
      .flatMap((line) => /^process (\d+): \S*\/virtiofsd/.exec(line)?.[1] ?? [])
      .find(() => true);
    const tree = readFileSync(`/proc/${server}/mountinfo`, "utf8")
      .split("\n")
      .find((line) => line.includes(` /${id}/rootfs `));
    expect(tree?.split(" ")[5]).toMatch(/^ro,/);
  });

  it("cannot open a device that it has made, nor run a set-uid program", () => {
    for (const { flags } of mounts()) expect(flags).toEqual(expect.arrayContaining(["nosuid", "nodev"]));
  });
});

describe("the daemon", () => {
  it("has a small root of its own, and pins no mount of the host's", () => {
    const pid = pidOf("containerd-shim-kata-v2");
    expect(readlinkSync(`/proc/${pid}/ns/mnt`)).not.toBe(readlinkSync("/proc/self/ns/mnt"));
    expect(readdirSync(`/proc/${pid}/root`)).not.toContain("home");
  });

  it("is detached: a session of its own, stdio not the caller's", () => {
    const pid = pidOf("containerd-shim-kata-v2");
    const session = Number(readFileSync(`/proc/${pid}/stat`, "utf8").split(") ")[1]?.split(" ")[3]);
    expect(session).not.toBe(Number(readFileSync("/proc/self/stat", "utf8").split(") ")[1]?.split(" ")[3]));
    for (const fd of [0, 1, 2])
      expect(readlinkSync(`/proc/${pid}/fd/${fd}`)).toMatch(/^\/(dev\/null|.*daemon\.log)$/);
  });

  it("listens to root alone, and to others still when one of them talks nonsense", async () => {
    const [id = ""] = runtime.traces().ids;
    const socket = `/run/vc/${hashOf(runtime.root, id)}.sock`;
    expect(statSync(socket).mode & 0o777).toBe(0o600);
    // Frames that claim more than the protocol allows, or are none.
    for (const bytes of [
      Buffer.alloc(10, 0xff),
      Buffer.from("GET / HTTP/1.1\r\n\r\n"),
      Buffer.alloc(1 << 20),
    ]) {
      const client = connect(socket);
      client.on("error", () => {});
      client.end(bytes);
      await new Promise((resolve) => client.resume().on("close", resolve));
    }
    expect((await runtime.state(id)).status).toBe("running");
  });
});
