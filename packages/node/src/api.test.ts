import { parseSpec } from "@kata-containers/oci";
import type { KataError } from "@kata-containers/sys";
import { expect, expectTypeOf, test } from "vitest";
import type * as api from "./api.ts";
import { createSandbox } from "./create-sandbox.ts";
import { defaultSpec } from "./default-spec.ts";
import { openSandbox } from "./open-sandbox.ts";

test("the declarations are those of the code", () => {
  expectTypeOf(createSandbox).toExtend<typeof api.createSandbox>();
  expectTypeOf(openSandbox).toExtend<typeof api.openSandbox>();
  expectTypeOf<KataError>().toExtend<api.KataError>();
});

const command = { rootfs: "/r", args: ["true"] };

test("a root file system and a command make a specification that we accept", () => {
  const spec = parseSpec(JSON.stringify(defaultSpec({ ...command, hostname: "box" })));
  expect(spec).toMatchObject({
    root: { path: "/r" },
    hostname: "box",
    process: { args: ["true"], cwd: "/" },
  });
});

test("PATH is set unless it is given", () => {
  const environment = (env?: string[]) => defaultSpec(env ? { ...command, env } : command).process?.env;
  expect(environment()).toEqual([expect.stringMatching(/^PATH=.*:\/bin$/)]);
  expect(environment(["A=1"])).toEqual([expect.stringMatching(/^PATH=/), "A=1"]);
  expect(environment(["PATH=/x"])).toEqual(["PATH=/x"]);
});
