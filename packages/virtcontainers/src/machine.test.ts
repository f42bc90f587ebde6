import { parseConfig } from "@kata-containers/config";
import { Logger, SysError, setOps } from "@kata-containers/sys";
import { afterEach, expect, test } from "vitest";
import type { Confinement } from "./confine/confinement.ts";
import { bootMachine } from "./machine.ts";
import { Phases } from "./phases.ts";
import { nodeFiles } from "./testing/node-files.ts";

afterEach(() => setOps(undefined));

test("a machine whose share cannot be opened leaves no descriptor", async () => {
  const open = new Set<number>();
  let next = 10;
  const take = (): number => {
    open.add(next);
    return next++;
  };
  setOps(
    nodeFiles({
      socketpair: () => [take(), take()],
      netlink: () => take(),
      netlinkRequest: () => [],
      close: (fd) => void open.delete(fd),
      read: async () => new Uint8Array(),
      monotonicMs: () => 0,
      cancel: () => {},
      shutdown: () => {},
      unixListen: () => {
        throw new SysError("ENOSPC", "bind");
      },
    }),
  );
  const config = parseConfig(
    '[hypervisor.qemu]\naccelerator = "tcg"\nagent_channel = "virtio-serial"\n',
    "test",
  );
  const confinement = {} as Confinement;
  const log = new Logger({ fd: -1, name: "test" });
  const booting = bootMachine({
    config,
    confinement,
    phases: new Phases(),
    log,
    hash: "0a",
    size: undefined,
  });
  await expect(booting).rejects.toThrow("cannot make virtiofsd's socket: unixListen: ENOSPC");
  expect([...open]).toEqual([]);
});
