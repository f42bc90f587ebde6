import { expect, test } from "vitest";
import { DEFAULT_OPTIONS, parseCmdline } from "./options.ts";

test("a command line without agent options gives the defaults", () => {
  expect(parseCmdline("quiet panic=1 reboot=k\n")).toEqual({ options: DEFAULT_OPTIONS, warnings: [] });
});

test("known options are read", () => {
  const line =
    "quiet agent.log=debug agent.unified_cgroup_hierarchy=false agent.container_pipe_size=65536 agent.hotplug_timeout=7 agent.load_modules=virtiofs,overlay agent.server_addr=vsock://-1:1024";
  expect(parseCmdline(line)).toEqual({
    options: {
      logLevel: "debug",
      serverAddr: "vsock://-1:1024",
      unifiedCgroups: false,
      containerPipeSize: 65536,
      hotplugTimeoutMs: 7000,
      loadModules: ["virtiofs", "overlay"],
    },
    warnings: [],
  });
});

test("modules of several words add up", () => {
  const { options } = parseCmdline("agent.load_modules=virtiofs,overlay agent.load_modules=virtio_balloon");
  expect(options.loadModules).toEqual(["virtiofs", "overlay", "virtio_balloon"]);
});

test("an unknown agent option is a warning, also when it is named as a member of every object", () => {
  const { options, warnings } = parseCmdline("agent.frobnicate=1 agent.toString");
  expect(options).toEqual(DEFAULT_OPTIONS);
  expect(warnings).toEqual([
    "unknown option agent.frobnicate: ignored",
    "unknown option agent.toString: ignored",
  ]);
});

test.each([
  "agent.log=loud",
  "agent.hotplug_timeout=-3",
  "agent.server_addr=tcp://0.0.0.0:80",
  "agent.container_pipe_size=1M",
  "agent.load_modules=a;b",
])("%s is a warning and changes nothing", (word) => {
  const { options, warnings } = parseCmdline(word);
  expect(options).toEqual(DEFAULT_OPTIONS);
  expect(warnings).toHaveLength(1);
  expect(warnings[0]).toContain(word);
});
