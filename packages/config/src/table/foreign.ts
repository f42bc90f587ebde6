import { type Refusal, refused } from "../key.ts";

const noProxy = "there is no proxy, the daemon speaks to the agent itself";
const noShim = "set kata_shim_path of [runtime]";
const noNetmon = "the daemon itself follows the container's network";

/** Upstream's tables of which no key does anything here. */
export const foreignTables: Readonly<Record<string, Readonly<Record<string, Refusal>>>> = {
  "proxy.kata": { path: refused(noProxy), enable_debug: refused(noProxy, false) },
  "shim.kata": {
    path: refused(noShim),
    enable_debug: refused("set enable_debug of [runtime]", false),
    enable_tracing: refused("the runtime is not traced", false),
  },
  netmon: {
    enable_netmon: refused(noNetmon, false),
    path: refused(noNetmon),
    enable_debug: refused(noNetmon, false),
  },
};

const onlyQemu = "QEMU is the only hypervisor, see [hypervisor.qemu]";

/** Upstream's tables that are refused as they stand, and why. */
export const refusedTables: Readonly<Record<string, string>> = {
  "hypervisor.clh": onlyQemu,
  "hypervisor.cloud-hypervisor": onlyQemu,
  "hypervisor.firecracker": onlyQemu,
  "hypervisor.acrn": onlyQemu,
  "hypervisor.dragonball": onlyQemu,
  "hypervisor.remote": onlyQemu,
  "hypervisor.stratovirt": onlyQemu,
  "hypervisor.openvmm": onlyQemu,
};
