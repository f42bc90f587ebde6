import { existsSync, readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { exitOf, useSharedRuntime } from "../harness/runtime.ts";

const runtime = useSharedRuntime();
let id: string | undefined;

/** One container for all that only looks. */
async function container(): Promise<string> {
  id ??= await runtime.start({ env: ["PATH=/bin", "OWN=1"] });
  return id;
}

const status = ["cat", "/proc/self/status"];
const line = (text: string, name: string) => new RegExp(`^${name}:\\s*(.*)$`, "m").exec(text)?.[1]?.trim();

describe("exec", () => {
  it("gives further groups to the user", async () => {
    const args = [
      "exec",
      "-u",
      "1000:100",
      "-g",
      "7",
      "--additional-gids",
      "8",
      await container(),
      ...status,
    ];
    const out = await runtime.ok(args);
    expect(line(out, "Uid")).toMatch(/^1000\s/);
    expect(line(out, "Gid")).toMatch(/^100\s/);
    expect(line(out, "Groups")).toBe("7 8");
  });

  it("adds capabilities, and none that is inherited", async () => {
    const bits = async (...options: string[]) => {
      const out = await runtime.ok(["exec", ...options, await container(), ...status]);
      return ["CapBnd", "CapEff", "CapInh"].map((name) => BigInt(`0x${line(out, name)}`));
    };
    const before = await bits();
    const netAdmin = 1n << 12n;
    expect(await bits("--cap", "CAP_NET_ADMIN")).toEqual([
      (before[0] ?? 0n) | netAdmin,
      (before[1] ?? 0n) | netAdmin,
      before[2],
    ]);
  });

  it("sets no_new_privs", async () => {
    expect(line(await runtime.ok(["exec", await container(), ...status]), "NoNewPrivs")).toBe("0");
    expect(
      line(await runtime.ok(["exec", "--no-new-privs", await container(), ...status]), "NoNewPrivs"),
    ).toBe("1");
  });

  it("detaches, with the pid of what stands for the process in the pid file", async () => {
    const file = runtime.scratch.join("exec.pid");
    const args = [
      "exec",
      "-d",
      "--pid-file",
      file,
      "--preserve-fds",
      "0",
      await container(),
      "sleep",
      "1000",
    ];
    expect(await exitOf(runtime.spawn(args, { stdio: "ignore" }))).toMatchObject({ status: 0 });
    const pid = readFileSync(file, "utf8");
    expect(readFileSync(`/proc/${pid}/cmdline`, "utf8")).toContain("kata-shim");
    process.kill(Number(pid), "SIGTERM");
    await expect.poll(() => existsSync(`/proc/${pid}`)).toBe(false);
  });

  it("runs in a control group below the container's own, where that is there", async () => {
    const inGroup = await runtime.start({
      edit: (config) => {
        config.linux.namespaces.push({ type: "cgroup" });
        const cgroups = config.mounts.find((each) => "type" in each && each.type === "cgroup");
        Object.assign(cgroups ?? {}, { options: ["rw", "nosuid", "noexec", "nodev"] });
      },
    });
    const mount = "/sys/fs/cgroup";
    const make = `for d in ${mount}/memory ${mount}; do [ -e $d/cgroup.procs ] && mkdir $d/sub && break; done`;
    await runtime.ok(["exec", inGroup, "sh", "-c", make]);
    const v1 = (await runtime.ok(["exec", inGroup, "ls", mount])).split("\n").includes("memory");
    const group = v1 ? "memory:sub" : "sub";
    const inside = await runtime.ok(["exec", "--cgroup", group, inGroup, "cat", "/proc/self/cgroup"]);
    expect(inside).toMatch(v1 ? /:memory:\/sub$/m : /^0::\/sub$/m);
    expect(await runtime.ok(["exec", inGroup, "cat", "/proc/self/cgroup"])).not.toContain("/sub");
  });

  it("runs in a container that was created and not started, as runc", async () => {
    const created = await runtime.create();
    expect(await runtime.ok(["exec", created, "sh", "-c", "echo $$"])).toMatch(/^\d+\n$/);
    expect((await runtime.state(created)).status).toBe("created");
    await runtime.ok(["start", created]);
  });

  it.each([
    [["--preserve-fds", "1", "true"], "--preserve-fds 1: the host's descriptors cannot cross"],
    [
      ["--process-label", "a:b", "true"],
      "--process-label: the container has a kernel of its own, without SELinux",
    ],
    [["--apparmor", "x", "true"], "--apparmor: the container has a kernel of its own, without AppArmor"],
    [["--cgroup", "../x", "true"], "--cgroup ../x: is not below the container's control group"],
    [["--cgroup", "nowhere", "true"], "/nowhere does not exist"],
    [["--cgroup", "nosuch:x", "true"], "--cgroup: unknown controller nosuch"],
    [["--cap", "net_admin", "true"], '--cap "net_admin": must be a name like CAP_NET_ADMIN'],
    [["-g", "wheel", "true"], '--additional-gids "wheel": must be a number'],
    [["-u", "root", "true"], '--user "root": must be UID or UID:GID'],
    [["-p", "/x", "-e", "A=b"], "--process and --env exclude each other"],
    [["-p", "/x", "true"], "--process and COMMAND exclude each other"],
    [[], "COMMAND is missing"],
  ])("refuses %j", async (words, message) => {
    const at = words.at(-1) === "true" ? words.length - 1 : words.length;
    const args = ["exec", ...words.slice(0, at), await container(), ...words.slice(at)];
    expect(await runtime.kata(args)).toMatchObject({ status: 1, stderr: expect.stringContaining(message) });
  });
});
