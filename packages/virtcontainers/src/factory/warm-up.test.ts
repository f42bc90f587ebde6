import { mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Method } from "@kata-containers/protocols";
import { setOps } from "@kata-containers/sys";
import { afterEach, beforeEach, expect, test } from "vitest";
import { nodeFiles } from "../testing/node-files.ts";
import { warmUp } from "./warm-up.ts";

let sharePlaces: string;
let asked: string[];
let messages: Map<string, object>;
let limits: (number | undefined)[];
let refused: string | undefined;
let machine: string;

const agent = {
  request(method: Method<object, object>, message: object, timeoutMs?: number) {
    asked.push(method.method);
    messages.set(method.method, message);
    limits.push(timeoutMs);
    return method.method === refused ? Promise.reject(new Error("refused")) : Promise.resolve({});
  },
};

const guestMount = { driver: "virtio-fs", source: "share", fstype: "virtiofs", options: [] };
const warm = (runtime = { disable_guest_seccomp: false }) =>
  warmUp(agent as unknown as Parameters<typeof warmUp>[0], { sharePlaces }, guestMount, runtime);

beforeEach(() => {
  sharePlaces = mkdtempSync(join(tmpdir(), "warm-up-"));
  messages = new Map();
  [asked, limits, refused, machine] = [[], [], undefined, "x86_64"];
  const uname = () => ({ sysname: "", nodename: "", release: "", version: "", machine });
  const writeFile = () => {};
  setOps(nodeFiles({ uname, writeFile }));
});
afterEach(() => {
  rmSync(sharePlaces, { recursive: true });
  setOps(undefined);
});

test("a sandbox and its container come and go, and nothing is left of their share", async () => {
  await warm();
  expect(asked).toEqual([
    ...["CreateSandbox", "CreateContainer", "ReadStdout", "ReadStderr", "StartContainer", "WaitProcess"],
    ...["RemoveContainer", "DestroySandbox"],
  ]);
  expect(readdirSync(sharePlaces)).toEqual([]);
});

test("the container has device rules and a seccomp filter, unless guests have none", async () => {
  await warm();
  const container = messages.get("CreateContainer");
  expect(container).toMatchObject({ seccomp: { program: expect.any(Uint8Array) } });
  expect(container).toHaveProperty("OCI.Linux.Resources.Devices.length", 4);
  await warm({ disable_guest_seccomp: true });
  const other = messages.get("CreateContainer");
  expect(other).not.toHaveProperty("seccomp");
  expect(other).not.toHaveProperty("OCI.Linux.Seccomp.DefaultAction");
});

test("each request has the configured time-out: a guest that hangs is no machine", async () => {
  await warm();
  expect(limits.filter((each) => each !== undefined)).toEqual([]);
});

test("what the guest refuses is thrown, and nothing is left", async () => {
  refused = "StartContainer";
  await expect(warm()).rejects.toThrow("refused");
  expect(readdirSync(sharePlaces)).toEqual([]);
});

test("a machine for which there is no program is left cold", async () => {
  machine = "riscv64";
  await warm();
  expect(asked).toEqual([]);
});
