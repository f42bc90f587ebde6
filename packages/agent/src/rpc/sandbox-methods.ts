import type {
  CopyFileRequest,
  CreateSandboxRequest,
  GuestDetailsRequest,
  OnlineCPUMemRequest,
  ReseedRandomDevRequest,
  SetGuestDateTimeRequest,
} from "@kata-containers/protocols";
import { exists, isSysError, KataError, ops } from "@kata-containers/sys";
import { copyFile } from "../sandbox/copy-file.ts";
import { type Hotplug, MEMORY_PROBE, memoryBlockSize, memoryBlocks } from "../sandbox/hotplug.ts";
import type { Sandbox } from "../sandbox/sandbox.ts";
import { STORAGE_DRIVERS } from "../storage/storage.ts";
import { AGENT_VERSION } from "../version.ts";

/** There when the kernel has filters: seccomp(2). */
const SECCOMP = "/proc/sys/kernel/seccomp/actions_avail";
/** More than any pool holds; a larger request is a mistake. */
const MAX_SEED = 64 << 10;
const USEC_PER_SEC = 1_000_000;

/** The RPCs about the guest as a whole. */
export const sandboxMethods = (sandbox: Sandbox, hotplug: Hotplug) => ({
  CreateSandbox: async (request: CreateSandboxRequest) => {
    await sandbox.create(request);
    return {};
  },

  DestroySandbox: async () => {
    await sandbox.destroy();
    ops.sync();
    return {};
  },

  CopyFile: async (request: CopyFileRequest) => {
    copyFile(request);
    return {};
  },

  ReseedRandomDev: async ({ data }: ReseedRandomDevRequest) => {
    if (data.length === 0 || data.length > MAX_SEED) {
      throw new KataError("InvalidArgument", `data: ${data.length} bytes of entropy, not 1 to ${MAX_SEED}`);
    }
    try {
      ops.addEntropy(data);
    } catch (error) {
      // The pool has the bytes, too few to start the generator (random(4), RNDRESEEDCRNG): it seeds itself when there are more.
      if (!isSysError(error, "ENODATA")) throw error;
    }
    return {};
  },

  SetGuestDateTime: async ({ Sec, Usec }: SetGuestDateTimeRequest) => {
    if (Sec < 0 || Usec < 0 || Usec >= USEC_PER_SEC) {
      throw new KataError("InvalidArgument", `Sec ${Sec}, Usec ${Usec}: not a time of the day`);
    }
    ops.setRealtime(Sec, Usec);
    return {};
  },

  OnlineCPUMem: async (request: OnlineCPUMemRequest) => {
    await hotplug.online(request);
    return {};
  },

  GetGuestDetails: async (request: GuestDetailsRequest) => ({
    memBlockSizeBytes: request.memBlockSize ? memoryBlockSize() : 0,
    memBlocks: request.memBlockSize ? memoryBlocks().length : 0,
    supportMemHotplugProbe: request.memHotplugProbe && exists(MEMORY_PROBE),
    agentDetails: {
      version: AGENT_VERSION,
      initDaemon: ops.getpid() === 1,
      storageHandlers: [...STORAGE_DRIVERS],
      supportsSeccomp: exists(SECCOMP),
    },
  }),
});
