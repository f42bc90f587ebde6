import { readdirSync, readFileSync, readlinkSync, statSync, writeFileSync } from "node:fs";
import { connect } from "node:net";
import { beforeAll, describe, expect, it } from "vitest";
import { hashOf } from "../harness/leaks.ts";
import { useSharedRuntime } from "../harness/runtime.ts";
import { linksOf, sandboxProcesses } from "../harness/sandbox-processes.ts";

const runtime = useSharedRuntime();
const pids = new Map<string, number>();

beforeAll(async () => {
  await runtime.start();
  for (const [program, pid] of sandboxProcesses(runtime.traces())) pids.set(program, pid);
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

  it("has neither the host's network nor another process to signal or trace", () => {
    expect(ownNamespaces("qemu")).toEqual(["ipc", "mnt", "net", "pid", "uts"]);
    expect(status("qemu", "NSpid")).toMatch(/\t1$/);
  });

  it("has a command line that says nothing but its size of a sandbox without network: that of another one is the same", async () => {
    const other = await runtime.start({
      env: ["OTHER=1"],
      annotations: { "org.example": "other" },
      mounts: [{ type: "bind", source: runtime.scratch.path, destination: "/data", options: ["rbind"] }],
      edit: (config) => {
        config.hostname = "other";
      },
    });
    const qemu = sandboxProcesses({ root: runtime.root, ids: [other] }).get("qemu");
    // A VM's context id on vsock is its own, and the clock's frequency is measured each time.
    const words = (pid: number | undefined) =>
      readFileSync(`/proc/${pid}/cmdline`, "utf8")
        .replaceAll(/(guest-cid|tsc_early_khz)=\d+/g, "$1=N")
        .split("\0");
    expect(words(qemu)).toEqual(words(pidOf("qemu")));
    await runtime.ok(["delete", "--force", other]);
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

  it("has a mount namespace of its own, and no other process to signal or trace", () => {
    expect(ownNamespaces("virtiofsd")).toEqual(["ipc", "mnt", "net", "pid", "uts"]);
    expect(status("virtiofsd", "NSpid")).toMatch(/\t1$/);
    const pid = pidOf("virtiofsd");
    const [way] = [...linksOf(pid)].find(([, link]) => /^\/proc\/\d+\/fd$/.test(link)) ?? [];
    // Around its change of root, as far as that leads (confinement-lists.test.ts).
    const root = `/proc/${pid}/fd/${way}/../../..`;
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
    const server = sandboxProcesses({ root: runtime.root, ids: [id] }).get("virtiofsd");
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
