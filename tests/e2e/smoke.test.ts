import { release } from "node:os";
import { expect, it } from "vitest";
import { useRuntime } from "../harness/runtime.ts";

const runtime = useRuntime();

it("runs a container under another kernel than the host's", async () => {
  const bundle = runtime.bundle({ args: ["uname", "-r"] });
  const { status, stdout, stderr } = await runtime.kata(["run", "--bundle", bundle, runtime.newId()]);
  expect({ status, stderr }).toEqual({ status: 0, stderr: "" });
  expect(stdout).toMatch(/^\d+\.\d+\S*\n$/);
  expect(stdout.trim()).not.toBe(release());
});

it("prints the version in upstream's three lines", async () => {
  const stdout = await runtime.ok(["--version"]);
  expect(stdout).toMatch(
    /^kata-runtime {2}: \d+\.\d+\.\d+\n {3}commit {3}: \S+\n {3}OCI specs: 1\.\d+\.\d+\n$/,
  );
});
