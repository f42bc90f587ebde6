import { type Ops, type Stat, SysError, setOps } from "@kata-containers/sys";
import { afterEach, expect, test, vi } from "vitest";
import { openAgentChannel } from "./choose.ts";
import { VHOST_VSOCK } from "./vsock.ts";

afterEach(() => setOps(undefined));

/** A host with /dev/vhost-vsock or without. @param refusal errno of opening it */
function useHost(vsock: "there" | "missing", refusal?: string): void {
  const fake: Partial<Ops> = {
    statIfThere: (path) => (path === VHOST_VSOCK && vsock === "there" ? ({} as Stat) : undefined),
    open(path) {
      if (vsock === "missing") throw new SysError("ENOENT", "open", path);
      if (refusal !== undefined) throw new SysError(refusal, "open", path);
      return 99;
    },
    close: () => {},
    random: (length) => new Uint8Array(length),
    vhostVsockSetCid: () => {},
    socketpair: () => [97, 98],
  };
  setOps(fake as Ops);
}

function chosen(setting: Parameters<typeof openAgentChannel>[0]): { kind: string; warnings: string[] } {
  const warnings: string[] = [];
  const { kind } = openAgentChannel(setting, (text) => void warnings.push(text)).device;
  return { kind, warnings };
}

test("auto is vsock where the host has it", () => {
  useHost("there");
  expect(chosen("auto")).toEqual({ kind: "vsock", warnings: [] });
});

test("auto is virtio-serial where it has none, without a word", () => {
  useHost("missing");
  expect(chosen("auto")).toEqual({ kind: "virtio-serial", warnings: [] });
});

test("auto is virtio-serial where vsock cannot be opened, and says why", () => {
  useHost("there", "EACCES");
  const { kind, warnings } = chosen("auto");
  expect(kind).toBe("virtio-serial");
  expect(warnings).toEqual([
    expect.stringMatching(
      /\/dev\/vhost-vsock.*permission denied.*: the agent is reached by virtio-serial instead of vsock$/i,
    ),
  ]);
});

test("virtio-serial is taken when it is asked for, and vsock is not looked for", () => {
  useHost("there");
  expect(chosen("virtio-serial")).toEqual({ kind: "virtio-serial", warnings: [] });
});

test("vsock that is demanded and not to be had is an error that says what to do", () => {
  const warn = vi.fn();
  for (const [vsock, refusal] of [["missing"], ["there", "EACCES"]] as const) {
    useHost(vsock, refusal);
    expect(() => openAgentChannel("vsock", warn)).toThrow(
      /^cannot start VM: agent_channel "vsock": .*\/dev\/vhost-vsock.* \(load the module vhost_vsock, or set agent_channel = "auto"\)$/,
    );
  }
  expect(warn).not.toHaveBeenCalled();
});
