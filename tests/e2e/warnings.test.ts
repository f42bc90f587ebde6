import { readFileSync, writeFileSync } from "node:fs";
import type { Overrides } from "@kata-containers/config";
import { expect, it } from "vitest";
import { findTraces } from "../harness/leaks.ts";
import { writeConfiguration } from "../harness/programs.ts";
import { exitOf, useRuntime } from "../harness/runtime.ts";

const runtime = useRuntime();
const WARNING = "the seccomp profile is not applied (runtime.disable_guest_seccomp)";

/** create with these keys of the configuration changed; these options stand before it. */
async function create(changes: Overrides, bundle: string, ...globals: string[]) {
  runtime.configuration = writeConfiguration(runtime.scratch.join("configuration.toml"), changes);
  const before = runtime.globals;
  runtime.globals = () => ["--root", runtime.root, "--config", runtime.configuration, ...globals];
  try {
    const child = runtime.spawn(["create", "--bundle", bundle, runtime.newId()], {
      stdio: ["ignore", "ignore", "pipe"],
    });
    return await exitOf(child);
  } finally {
    runtime.globals = before;
  }
}

/** create of a container with a profile that is dropped. */
function createWithout(...globals: string[]) {
  const bundle = runtime.bundle({
    edit: (config) => Object.assign(config.linux, { seccomp: { defaultAction: "SCMP_ACT_ALLOW" } }),
  });
  return create({ runtime: { disable_guest_seccomp: true } }, bundle, ...globals);
}

it("what the daemon warns of at create is told once, on standard error", async () => {
  const { status, stderr } = await createWithout();
  expect(status).toBe(0);
  expect(stderr.split("\n").filter((line) => line === `kata-runtime: warning: ${WARNING}`)).toHaveLength(1);
});

it("with a log it is in the log, and standard error is empty", async () => {
  const log = runtime.scratch.join("warnings.log");
  expect(await createWithout("--log", log, "--log-format", "json")).toEqual({ status: 0, stderr: "" });
  const lines = readFileSync(log, "utf8").trim().split("\n");
  const told = lines.map((line) => JSON.parse(line)).filter(({ msg }) => msg === WARNING);
  expect(told).toMatchObject([{ level: "warning" }]);
});

it("software emulation that was not asked for is told once a create, and only where KVM does not run the guest", async () => {
  const told = async (accelerator: "auto" | "tcg") => {
    const { status, stderr } = await create({ "hypervisor.qemu": { accelerator } }, runtime.bundle());
    expect(status, stderr).toBe(0);
    return stderr.split("\n").filter((line) => /software emulation/.test(line));
  };
  const lines = await told("auto");
  if (qemuArguments().includes("kvm")) return expect(lines).toEqual([]);
  expect(lines).toEqual([
    expect.stringMatching(
      /^kata-runtime: warning: \/dev\/kvm: .+: the VM runs on software emulation, which is slow$/,
    ),
  ]);
  await runtime.removeAll();
  expect(await told("tcg")).toEqual([]);
});

it("labels of the host's policies and descriptors of socket activation are told once, by create and by exec --process", async () => {
  const bundle = runtime.bundle({
    args: ["sleep", "1000"],
    edit: (config) => {
      Object.assign(config.process, { apparmorProfile: "docker-default" });
      Object.assign(config.linux, { mountLabel: "system_u:object_r:container_file_t:s0" });
    },
  });
  const id = runtime.newId();
  const create = runtime.command(["create", "--bundle", bundle, id]);
  const activated = 'LISTEN_PID=$$ LISTEN_FDS=1 exec "$0" "$@" 3</dev/null';
  const child = runtime.spawnProgram("sh", ["-c", activated, ...create], {
    stdio: ["ignore", "ignore", "pipe"],
  });
  expect(await exitOf(child)).toEqual({ status: 0, stderr: "" });
  await runtime.ok(["start", id]);
  await runtime.ok(["exec", id, "true"]);
  const file = runtime.scratch.join("process.json");
  const process = { cwd: "/", args: ["/bin/true"], user: { uid: 0, gid: 0 }, selinuxLabel: "a:b:c:s0" };
  writeFileSync(file, JSON.stringify(process));
  await runtime.ok(["exec", "--process", file, id]);
  const log = readFileSync(runtime.log, "utf8");
  for (const dropped of ["process.apparmorProfile", "linux.mountLabel", "LISTEN_FDS", "process.selinuxLabel"])
    expect(log.split("\n").filter((line) => line.includes(dropped))).toHaveLength(1);
});

/** The command line of the VM that runs. */
function qemuArguments(): string[] {
  const line = findTraces(runtime.traces()).find((trace) => trace.includes("qemu-system"));
  const pid = /^process (\d+)/.exec(line ?? "")?.[1];
  return readFileSync(`/proc/${pid}/cmdline`, "utf8").split("\0");
}
