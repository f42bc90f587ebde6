import { once } from "node:events";
import { existsSync, lstatSync, readdirSync, readFileSync } from "node:fs";
import { dirname } from "node:path";
import { Readable } from "node:stream";
import type { KataConfig } from "@kata-containers/config";
import { beforeAll, describe, expect, it } from "vitest";
import { eventually } from "../harness/process.ts";
import { testConfiguration, writeConfiguration } from "../harness/programs.ts";
import { useSharedRuntime } from "../harness/runtime.ts";
import {
  descriptorsOf,
  linksOf,
  type MountOf,
  mountsOf,
  type SandboxProgram,
  sandboxProcesses,
} from "../harness/sandbox-processes.ts";

/** Where the share is in each of their roots. */
const tree = "/share";

/** All that the processes of a sandbox may hold of the host, listed here once more, independently of the product. */
const cases = (["pc", "q35"] as const).flatMap((machine) =>
  (["virtio-fs", "virtio-9p"] as const).map((share) => ({ machine, share })),
);

describe.each(cases)("a sandbox with $machine and $share", ({ machine, share }) => {
  const runtime = useSharedRuntime();
  const hypervisor: KataConfig["hypervisor"] = {
    ...testConfiguration().hypervisor,
    machine_type: machine,
    shared_fs: share,
  };
  let id = "";
  let programs: Map<SandboxProgram, number>;
  /** What create's descriptor 9 was, whether its end was seen, and how the container did then. */
  let passed = { link: "", ended: false, status: "" };

  beforeAll(async () => {
    runtime.configuration = writeConfiguration(runtime.scratch.join("list.toml"), {
      "hypervisor.qemu": hypervisor,
    });
    id = runtime.newId();
    passed = await createWithOpenDescriptor(id);
    await runtime.ok(["start", id]);
    programs = sandboxProcesses(runtime.traces());
  });

  /** Like a caller that has more open than it knows, which waits for the end of file. */
  async function createWithOpenDescriptor(id: string): Promise<typeof passed> {
    const bundle = runtime.bundle({ args: ["sleep", "1000"] });
    const script = 'readlink /proc/self/fd/9 >&9; exec "$@" 2>/dev/null';
    const words = runtime.command(["create", "--bundle", bundle, id]);
    const child = runtime.spawnProgram("sh", ["-c", script, "sh", ...words], {
      stdio: [...Array(9).fill("ignore"), "pipe"],
    });
    const nine = child.stdio.at(9);
    if (!(nine instanceof Readable)) throw new Error("no descriptor 9");
    let link = "";
    nine.on("data", (chunk) => {
      link += chunk;
    });
    let ended = false;
    nine.on("end", () => {
      ended = true;
    });
    expect((await once(child, "exit"))[0]).toBe(0);
    await eventually("its end", () => ended || undefined).catch(() => {});
    return { link: link.trim(), ended, status: (await runtime.state(id)).status };
  }

  const pidOf = (program: SandboxProgram): number => programs.get(program) ?? Number.NaN;
  /** What its descriptors lead to, each once; not the files below the share, which come and go as the guest opens them. */
  const kinds = (program: SandboxProgram): string[] =>
    [...new Set(descriptorsOf(pidOf(program)).values())]
      .filter((link) => !`${link}/`.startsWith(`${tree}/${id}/`))
      .map((link) => link.replace(/^\/proc\/\d+\//, "/proc/PID/"))
      .sort();
  const count = (program: SandboxProgram, kind: string): number =>
    [...descriptorsOf(pidOf(program)).values()].filter((link) => link === kind).length;
  /** What it has open for a moment may be in a first look, and is not in a later one. */
  const onlyHolds = (program: SandboxProgram, expected: readonly string[]) =>
    expect.poll(() => kinds(program)).toEqual([...expected].sort());
  const rootfs = () => ({ place: `${tree}/${id}/rootfs`, flags: bound(runtime.scratch.path, "rw") });

  /** QEMU's whole file system. */
  const vmm = (): MountOf[] => [
    { place: "/", flags: "ro,nosuid,nodev" },
    ...libraries(),
    ...present(["/usr/share/qemu", "/usr/share/seabios", "/usr/share/qemu-kvm"]).map(readOnly),
    ...[hypervisor.path, hypervisor.kernel, hypervisor.initrd].map(readOnly),
    ...devices(["/dev/null", "/dev/kvm", hypervisor.entropy_source]),
    ...(share === "virtio-9p" ? [{ place: tree, flags: "ro,nosuid,nodev" }, rootfs()] : []),
  ];

  /** virtiofsd's, around its change of root to the share. */
  const shareServer = (): MountOf[] => [
    { place: "/", flags: "ro,nosuid,nodev" },
    ...libraries(),
    readOnly(hypervisor.virtio_fs_daemon),
    { place: tree, flags: "ro,nosuid,nodev" },
    rootfs(),
  ];

  const ownProc = { place: "/proc", flags: "ro,nosuid,nodev,noexec" };

  it("lets QEMU see these mounts, and no other file or directory", () => {
    const mounts = share === "virtio-9p" ? [...vmm(), ownProc] : vmm();
    expect(byPlace(mountsOf(pidOf("qemu")))).toEqual(byPlace(mounts));
    expect(namesOnRoot(`/proc/${pidOf("qemu")}/root`)).toEqual(parentsOf(mounts));
  });

  it("lets QEMU hold these descriptors, and no other", async () => {
    // Whichever channel "auto" came to: it is a device of the machine.
    const vsock = readFileSync(`/proc/${pidOf("qemu")}/cmdline`, "utf8").includes("\0vhost-vsock-pci,");
    const inherited = {
      ...{ 0: "/dev/null", 1: "/dev/null", 2: "pipe" },
      ...{ 5: "socket", 6: vsock ? "/dev/vhost-vsock" : "socket", 8: "socket" },
      ...(share === "virtio-fs" ? { 7: "socket" } : {}),
    };
    expect(Object.fromEntries(descriptorsOf(pidOf("qemu")))).toMatchObject(inherited);
    await onlyHolds("qemu", [
      ...["/dev/null", hypervisor.entropy_source, "pipe", "socket"],
      ...["anon_inode:[eventfd]", "anon_inode:[signalfd]", "/memfd:memory-backend-memfd"],
      ...(vsock ? ["/dev/vhost-vsock"] : []),
      ...(share === "virtio-9p" ? [tree] : []),
      ...kvm(kinds("qemu")),
    ]);
    // QMP, console, agent, share; and with vhost-user the way that its server calls QEMU by.
    const sockets = 2 + (vsock ? 0 : 1) + (share === "virtio-fs" ? 2 : 0);
    expect(count("qemu", "socket")).toBe(sockets);
    expect(count("qemu", "pipe")).toBe(1);
  });

  it.runIf(share === "virtio-fs")("lets virtiofsd see these mounts, and no other file or directory", () => {
    const pid = pidOf("virtiofsd");
    const below = [
      { place: "/", flags: "ro,nosuid,nodev" },
      { ...rootfs(), place: `/${id}/rootfs` },
    ];
    expect(byPlace(mountsOf(pid))).toEqual(byPlace(below));
    expect(namesOnRoot(`/proc/${pid}/root`)).toEqual([`/${id}`]);
    // The descriptor of its /proc/self/fd leads around its change of root: to this, and no further.
    const [way] = [...descriptorsOf(pid)].find(([, link]) => /^\/proc\/\d+\/fd$/.test(link)) ?? [];
    expect(namesOnRoot(`/proc/${pid}/fd/${way}/../../..`)).toEqual(parentsOf([...shareServer(), ownProc]));
  });

  it.runIf(share === "virtio-fs")("lets virtiofsd hold these descriptors, and no other", async () => {
    await onlyHolds("virtiofsd", [
      ...["/dev/null", "/proc/PID/fd", "/proc/PID/task", tree, "anon_inode:[eventfd]", "pipe", "socket"],
    ]);
    expect(count("virtiofsd", "pipe")).toBe(1);
  });

  it("lets the daemon see these mounts, and no other file or directory", () => {
    const pid = pidOf("containerd-shim-kata-v2");
    const cgroups = mountsOf("self").filter(({ place }) => /^\/sys\/fs\/cgroup(\/|$)/.test(place));
    const mounts = [
      { place: "/", flags: "ro,nosuid,nodev" },
      { place: "/proc", flags: bound("/proc", "rw") },
      ...cgroups.map(({ place }) => ({ place, flags: bound(place, "rw") })),
      ...["/run/vc", runtime.root].map((place) => ({ place, flags: bound(place, "rw") })),
      ...devices([
        "/dev/null",
        "/dev/urandom",
        "/dev/kvm",
        "/dev/vhost-vsock",
        "/dev/net/tun",
        "/dev/vhost-net",
      ]),
      { place: "/kata-launch", flags: bound(testConfiguration().runtime.launch_path, "ro") },
      ...inside("/vmm", vmm()),
      ...(share === "virtio-fs" ? inside("/share-server", shareServer()) : []),
      { place: "/share-places", flags: "rw,nosuid,nodev" },
      { place: "/share", flags: "ro,nosuid,nodev" },
      rootfs(),
      { place: "/sockets", flags: "rw,nosuid,nodev" },
    ];
    expect(byPlace(mountsOf(pid))).toEqual(byPlace(mounts));
    expect(namesOnRoot(`/proc/${pid}/root`)).toEqual(parentsOf(mounts));
  });

  it("lets the daemon hold descriptors of these kinds, and no other", async () => {
    await onlyHolds("containerd-shim-kata-v2", [
      ...[
        "/dev/null",
        `${runtime.root}/${id}/daemon.log`,
        testConfiguration().runtime.shim_path,
        "pipe",
        "socket",
      ],
      ...["anon_inode:[eventfd]", "anon_inode:[eventpoll]", "anon_inode:[pidfd]", "anon_inode:[signalfd]"],
    ]);
    // Standard error of its children, and nobody else's.
    expect(count("containerd-shim-kata-v2", "pipe")).toBe(share === "virtio-fs" ? 2 : 1);
  });

  it("lets kata-shim hold its standard streams and descriptors of these kinds, and no other", async () => {
    await onlyHolds("kata-shim", [
      ...["/dev/null", testConfiguration().runtime.kata_shim_path, "socket"],
      ...["anon_inode:[eventfd]", "anon_inode:[eventpoll]", "anon_inode:[signalfd]"],
    ]);
  });

  it("keeps nothing that create had open by chance: whoever waits for its end sees it", () => {
    expect(passed).toEqual({
      link: expect.stringMatching(/^socket:\[\d+\]$/),
      ended: true,
      status: "created",
    });
    expect([...programs.keys()].sort()).toEqual(
      [
        "containerd-shim-kata-v2",
        "kata-shim",
        "qemu",
        ...(share === "virtio-fs" ? ["virtiofsd"] : []),
      ].sort(),
    );
    for (const [program, pid] of programs)
      expect([...linksOf(pid).values()], program).not.toContain(passed.link);
  });
});

/** QEMU's own when it runs on KVM. */
function kvm(kinds: readonly string[]): string[] {
  return kinds.includes("/dev/kvm")
    ? ["/dev/kvm", "anon_inode:kvm-vm", ...kinds.filter((kind) => /^anon_inode:kvm-vcpu:\d+$/.test(kind))]
    : [];
}

const present = (paths: readonly string[]): string[] => paths.filter((path) => existsSync(path));

function libraries(): MountOf[] {
  const first = (...paths: string[]) => present(paths).slice(0, 1);
  return [
    ...["/lib64", "/usr/lib64", "/etc/ld.so.cache"].flatMap((path) => first(path)),
    ...first("/lib/x86_64-linux-gnu", "/lib"),
    ...first("/usr/lib/x86_64-linux-gnu", "/usr/lib"),
  ].map(readOnly);
}

function readOnly(place: string): MountOf {
  return { place, flags: bound(place, "ro") };
}

function devices(paths: readonly string[]): MountOf[] {
  return present(paths).map((place) => ({ place, flags: ["rw", "nosuid", ...noexecOf(place)].join(",") }));
}

function bound(source: string, access: "ro" | "rw"): string {
  return [access, "nosuid", "nodev", ...noexecOf(source)].join(",");
}

/** What the host says of a place goes for all that is bound from there. */
function noexecOf(source: string): string[] {
  const host = mountsOf("self")
    .filter(({ place }) => place === "/" || source === place || source.startsWith(`${place}/`))
    .reduce((longest, each) => (each.place.length >= longest.place.length ? each : longest));
  return host.flags.includes("noexec") ? ["noexec"] : [];
}

function inside(root: string, mounts: readonly MountOf[]): MountOf[] {
  return mounts.map(({ place, flags }) => ({ place: place === "/" ? root : root + place, flags }));
}

function byPlace(mounts: readonly MountOf[]): string[] {
  return mounts.map(({ place, flags }) => `${place} ${flags}`).sort();
}

/** Directories of the root's own file system that lead to a mount. */
function parentsOf(mounts: readonly MountOf[]): string[] {
  const places = mounts.map(({ place }) => place).filter((place) => place !== "/");
  const parents = places
    .filter((place) => !places.some((other) => place.startsWith(`${other}/`)))
    .flatMap((place) => ancestors(place));
  return [...new Set(parents)].sort();
}

function ancestors(path: string): string[] {
  const parent = dirname(path);
  return parent === "/" ? [] : [parent, ...ancestors(parent)];
}

/** Paths below a root that are on its own file system, not on one that is mounted there. */
function namesOnRoot(root: string): string[] {
  const { dev } = lstatSync(`${root}/.`);
  const below = (directory: string): string[] =>
    readdirSync(`${root}/.${directory}`, { withFileTypes: true }).flatMap((entry) => {
      const path = `${directory}/${entry.name}`;
      if (lstatSync(root + path).dev !== dev) return [];
      return entry.isDirectory() ? [path, ...below(path)] : [path];
    });
  return below("").sort();
}
