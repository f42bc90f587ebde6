import type { Hook } from "@kata-containers/oci";
import { setOps } from "@kata-containers/sys";
import { afterEach, expect, test } from "vitest";
import { createHookSeconds, hookState, runCreateHooks, runLaterHooks } from "./hooks.ts";

afterEach(() => setOps(undefined));

const container = { id: "c", bundle: "/b", ociVersion: "1.0.2", annotations: { a: "b" } };

/** A host where each hook ends at once with the status that its path says, and has said its path on standard error. */
function hostOfHooks(): { started: string[]; states: unknown[] } {
  const started: string[] = [];
  const states: unknown[] = [];
  let fds = 10;
  const said = new Map<number, string>();
  const ops: Record<string, (...args: never[]) => unknown> = {
    pipe: () => [fds++, fds++],
    close: () => {},
    cancel: () => {},
    setNonblock: () => {},
    env: () => ["OURS=1"],
    spawn: ({ path, env, fds: given }: { path: string; env: string[]; fds: { from: number }[] }) => {
      started.push(`${path} ${env.join(",")}`);
      said.set((given[1]?.from ?? 0) - 1, `${path} said\n`);
      return { pid: 9, pidfd: fds++ };
    },
    waitPidfd: async () => ({ pid: 9, code: started.at(-1)?.includes("bad") ? 3 : 0, signal: undefined }),
    write: async (_fd: number, bytes: Uint8Array) => {
      states.push(JSON.parse(new TextDecoder().decode(bytes)));
    },
    read: async () => new Uint8Array(),
    readSync: (fd: number) => {
      const words = said.get(fd) ?? "";
      said.delete(fd);
      return new TextEncoder().encode(words);
    },
    utf8Encode: (text: string) => new TextEncoder().encode(text),
    utf8Decode: (bytes: Uint8Array) => new TextDecoder().decode(bytes),
  };

  setOps(new Proxy(Object.create(null), { get: (_, name: string) => ops[name] }));
  return { started, states };
}

const hook = (path: string, more: Partial<Hook> = {}): Hook => ({ path, env: [], ...more });
const never = new AbortController().signal;

test("the state says who, where and in which state; a container that is gone has no pid", () => {
  expect(JSON.parse(hookState("createRuntime", container, 7))).toEqual({
    ociVersion: "1.0.2",
    id: "c",
    status: "created",
    pid: 7,
    bundle: "/b",
    annotations: { a: "b" },
  });
  expect(JSON.parse(hookState("poststop", container, 0))).not.toHaveProperty("pid");
});

test("prestart hooks run before createRuntime hooks, each in order, with its own environment or ours", async () => {
  const { started, states } = hostOfHooks();
  const hooks = {
    createRuntime: [hook("/three", { env: ["A=b"] })],
    prestart: [hook("/one"), { path: "/two" }],
  };
  await runCreateHooks(hooks, container, 7, never);
  expect(started).toEqual(["/one ", "/two OURS=1", "/three A=b"]);
  expect(states).toHaveLength(3);
});

test("the first that fails is named with its status and its last words, and the others do not run", async () => {
  const { started } = hostOfHooks();
  const hooks = { prestart: [hook("/good"), hook("/bad"), hook("/late")] };
  await expect(runCreateHooks(hooks, container, 7, never)).rejects.toThrow(
    "hook prestart[1] /bad: exit status 3: /bad said",
  );
  expect(started).toHaveLength(2);
});

test("a later hook that fails is a warning, and the next one runs", async () => {
  const { started } = hostOfHooks();
  const warnings: string[] = [];
  await runLaterHooks("poststop", [hook("/bad"), hook("/good")], container, 0, (text) => warnings.push(text));
  expect(warnings).toEqual(["hook poststop[0] /bad: exit status 3: /bad said"]);
  expect(started).toHaveLength(2);
});

test("all hooks of create may take the sum of their times, an hour where none is given", () => {
  expect(createHookSeconds({ prestart: [hook("/a", { timeout: 5 })], createRuntime: [hook("/b")] })).toBe(
    3605,
  );
});
