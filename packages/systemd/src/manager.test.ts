import { type Ops, ops, setOps } from "@kata-containers/sys";
import { afterEach, expect, test } from "vitest";
import { MESSAGE } from "./dbus/message.ts";
import { hostManager, rootCgroup, userManager } from "./manager.ts";
import { encode, hello, OK, serve } from "./testing/fake-bus.ts";

afterEach(() => setOps(undefined));

const RUNNING = "/run/systemd/system";

function useHost(files: readonly string[], env: readonly string[] = []): void {
  const fake: Partial<Ops> = {
    env: () => [...env],
    statIfThere: (path) => (files.includes(path) ? ops.stat(path) : undefined),
    stat: () => ({}) as ReturnType<Ops["stat"]>,
  };
  setOps(fake as Ops);
}

test("the host's is reached by the system's bus, where systemd is the init system", () => {
  useHost([RUNNING]);
  expect(hostManager()).toEqual({ bus: "/run/dbus/system_bus_socket" });
  useHost([]);
  expect(hostManager).toThrow("systemd not running on this host");
  expect(userManager).toThrow("systemd not running on this host");
});

test.each([
  ["unix:path=/b", "/b"],
  ["unix:path=/b,guid=0f", "/b"],
  ["unix:guid=0f,path=/a%20b", "/a b"],
  ["tcp:host=x,port=1;unix:path=/b", "/b"],
])("a user's is reached at DBUS_SESSION_BUS_ADDRESS %s", (address, bus) => {
  useHost([RUNNING, bus, "/r/bus"], [`DBUS_SESSION_BUS_ADDRESS=${address}`, "XDG_RUNTIME_DIR=/r"]);
  expect(userManager()).toEqual({ bus });
});

test("without an address it is in XDG_RUNTIME_DIR; what is neither, or of another kind, is said", () => {
  useHost([RUNNING, "/r/bus"], ["XDG_RUNTIME_DIR=/r"]);
  expect(userManager()).toEqual({ bus: "/r/bus" });
  useHost([RUNNING], ["XDG_RUNTIME_DIR=/r"]);
  expect(userManager).toThrow("no message bus of this user's systemd at /r/bus: log in");
  useHost([RUNNING]);
  expect(userManager).toThrow("no message bus of this user's systemd: log in");
  useHost([RUNNING], ["DBUS_SESSION_BUS_ADDRESS=unix:abstract=/x"]);
  expect(userManager).toThrow('DBUS_SESSION_BUS_ADDRESS "unix:abstract=/x": expected unix:path=...');
});

test.each(["", "/user.slice/user-7.slice/user@7.service"])("its own cgroup is %s", async (path) => {
  const served = serve([OK, hello, answer({ type: "s", value: path })]);
  expect(await rootCgroup({ bus: "/bus" })).toBe(path);
  expect(served.closed).toBe(true);
});

test.each(["user.slice", "/", "/a/", "/a//b", 7])("a cgroup %s is none", async (value) => {
  serve([OK, hello, answer({ type: typeof value === "string" ? "s" : "u", value })]);
  await expect(rootCgroup({ bus: "/bus" })).rejects.toThrow("does not tell its control group");
});

function answer(variant: { type: string; value: string | number }): Uint8Array {
  return encode({ type: MESSAGE.REPLY, to: 2, body: ["v", [variant]] });
}
