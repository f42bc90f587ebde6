import { readFileSync } from "node:fs";
import { expect, it } from "vitest";
import { writeConfiguration } from "../harness/programs.ts";
import { exitOf, useRuntime } from "../harness/runtime.ts";

const runtime = useRuntime();
const WARNING = "the seccomp profile is not applied (runtime.disable_guest_seccomp)";

/** create of a container with a profile that is dropped; these options stand before it. */
async function create(...globals: string[]) {
  runtime.configuration = writeConfiguration(runtime.scratch.join("configuration.toml"), {
    runtime: { disable_guest_seccomp: true },
  });
  const bundle = runtime.bundle({
    edit: (config) => Object.assign(config.linux, { seccomp: { defaultAction: "SCMP_ACT_ALLOW" } }),
  });
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

it("what the daemon warns of at create is told once, on standard error", async () => {
  const { status, stderr } = await create();
  expect(status).toBe(0);
  expect(stderr.split("\n").filter((line) => line === `kata-runtime: warning: ${WARNING}`)).toHaveLength(1);
});

it("with a log it is in the log, and standard error is empty", async () => {
  const log = runtime.scratch.join("warnings.log");
  expect(await create("--log", log, "--log-format", "json")).toEqual({ status: 0, stderr: "" });
  const lines = readFileSync(log, "utf8").trim().split("\n");
  const told = lines.map((line) => JSON.parse(line)).filter(({ msg }) => msg === WARNING);
  expect(told).toMatchObject([{ level: "warning" }]);
});
