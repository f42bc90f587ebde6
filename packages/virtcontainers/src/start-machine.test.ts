import fs from "node:fs";
import os from "node:os";
import { parseConfig } from "@kata-containers/config";
import { Logger, SysError, setOps } from "@kata-containers/sys";
import { afterEach, beforeEach, expect, test } from "vitest";
import type { Confinement, MemoryPlace } from "./confine/confinement.ts";
import { openSandboxNetwork } from "./network/sandbox-network.ts";
import { Phases } from "./phases.ts";
import type { VmSize } from "./resource/vm-size.ts";
import { startMachine } from "./start-machine.ts";
import { nodeFiles } from "./testing/node-files.ts";

/** How far a boot comes here: there is no place for the share's socket. */
const BOOTED = "cannot make virtiofsd's socket: unixListen: ENOSPC";

let dir = "";
let open: Set<number>;
let lines: string[];
let warnings: string[];

beforeEach(() => {
  dir = fs.mkdtempSync(`${os.tmpdir()}/start-`);
  open = new Set();
  lines = [];
  warnings = [];
  useOps();
});
afterEach(() => {
  setOps(undefined);
  fs.rmSync(dir, { recursive: true });
});

function useOps(): void {
  let next = 1000;
  const take = (): number => {
    open.add(next);
    return next++;
  };
  const files = nodeFiles();
  setOps(
    nodeFiles({
      socketpair: () => [take(), take()],
      netlink: () => take(),
      netlinkRequest: () => [],
      close: (fd) => void (open.delete(fd) || files.close(fd)),
      read: async () => new Uint8Array(),
      monotonicMs: () => 0,
      realtimeMs: () => 0,
      writeSync: (_, bytes) => void lines.push(new TextDecoder().decode(bytes)),
      cpuCount: () => 2,
      cancel: () => {},
      shutdown: () => {},
      unixListen: () => {
        throw new SysError("ENOSPC", "bind");
      },
    }),
  );
}

function start(keys: string, { size, memory }: { size?: VmSize; memory?: MemoryPlace } = {}) {
  const hypervisor = '[hypervisor.qemu]\naccelerator = "tcg"\nagent_channel = "virtio-serial"\n';
  const config = parseConfig(hypervisor + keys, "test");
  const log = new Logger({ fd: 2, name: "test", onWarning: (text) => warnings.push(text) });
  return startMachine({
    config,
    confinement: { memory } as Confinement,
    phases: new Phases(),
    log,
    openNetwork: (kvm) => openSandboxNetwork(config, kvm, { mark: "0a", log }),
    size,
  });
}

const templates = (): string => `[factory]\nenable_template = true\ntemplate_path = "${dir}"\n`;

test("a machine whose share cannot be opened leaves no descriptor", async () => {
  await expect(start("")).rejects.toThrow(BOOTED);
  expect([...open]).toEqual([]);
  expect(lines).toEqual([]);
});

test("a machine boots when there can be no template, and the log says why, once", async () => {
  fs.chmodSync(dir, 0o777);
  await expect(start(templates(), { memory: { directory: dir } })).rejects.toThrow(BOOTED);
  expect(warnings).toEqual([
    expect.stringMatching(
      /^the VM boots, it cannot be a copy of the template: template_path \S+: belongs to user \d+ and has mode 777/,
    ),
  ]);
  expect(lines).toHaveLength(1);
  expect(fs.readdirSync(dir)).toEqual([]);
});

test("a machine that is to be larger than a copy can be boots, which is nothing to warn of", async () => {
  const size = { vcpus: 1, memoryMiB: 5000 };
  await expect(
    start(`memory_slots = 0\n${templates()}`, { size, memory: { directory: dir } }),
  ).rejects.toThrow(BOOTED);
  expect(warnings).toEqual([]);
  expect(lines).toEqual([
    expect.stringMatching(
      /level=info msg="the VM boots, it is no copy of the template".* reason="it is to have 5000 MiB/,
    ),
  ]);
  expect(fs.readdirSync(dir)).toEqual([]);
});
