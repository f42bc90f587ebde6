import type { ExitStatus, Fd } from "@kata-containers/sys";
import type { ProcessIdentity } from "../persist/record.ts";

/** What a virtual machine monitor can do; a sandbox asks before it tries. */
export type Capabilities = {
  readonly fsSharing: boolean;
  readonly blockHotplug: boolean;
  readonly networkHotplug: boolean;
  readonly cpuHotplug: boolean;
  readonly memoryHotplug: boolean;
  readonly pause: boolean;
  readonly save: boolean;
};

/**
 * Where a guest's memory comes from. "anonymous": taken when used. "prealloc": all of it at the start. "hugetlb": the host's huge pages,
 * all of it at the start.
 */
export type MemoryKind = "anonymous" | "prealloc" | "hugetlb";

/**
 * What a VM is made of. Nothing in here speaks of the pod: hostname, containers and what is in the share come later by RPC. Network
 * cards are apart, in VmDescriptors, with the pod's MAC: those that are there when the VM starts. A VM that is made ahead or cloned from a
 * template has none then, and gets all of them as one that is running gets its later ones, by NicSlots.
 */
export type VmConfig = {
  readonly vcpus: number;
  /** vCPUs that it may get while it runs, these included. */
  readonly maxVcpus: number;
  readonly memoryMiB: number;
  /** Memory that it may get while it runs, this included, in as many pieces as it has slots for. */
  readonly maxMemoryMiB: number;
  readonly memorySlots: number;
  readonly machineType: string;
  readonly kernelParams: readonly string[];
  /** Added to the CPU's features, or taken away, in QEMU's words: "pmu=off", "-sse4a". */
  readonly cpuFeatures: readonly string[];
  readonly memory: MemoryKind;
  /** The guest tells which memory it does not use, and the host takes it back. */
  readonly reclaimsMemory: boolean;
  /**
   * The file that is the guest's memory, as the VMM sees it: of a VM that is saved, and of its copies. undefined: memory without a name.
   */
  readonly memoryFile: string | undefined;
  /** The device that feeds the guest's entropy. */
  readonly entropySource: string;
  /** Where the VMM sees the directory that it shares itself, by 9p; undefined: the share has a server of its own. */
  readonly shareDirectory: string | undefined;
  /** Requests that may be under way at the share. */
  readonly shareQueueSize: number;
  readonly accelerator: "kvm" | "tcg";
  /** Frequency of the host's time-stamp counter, kHz; undefined: it has none. */
  readonly tscKhz: number | undefined;
  /** The guest's kernel says on the console what it does, not only why it dies. */
  readonly debug: boolean;
};

/** What the agent's channel is in the guest. */
export type AgentDevice =
  /** A virtio-serial port whose bytes go to and come from a stream socket. */
  | { readonly kind: "virtio-serial"; readonly fd: number }
  /** The kernel's vsock: an open /dev/vhost-vsock to which the guest's context id was given. */
  | { readonly kind: "vsock"; readonly fd: number; readonly cid: number };

/** Descriptors that the VMM inherits: no socket of it has a name. */
export type VmDescriptors = {
  readonly agent: AgentDevice;
  /** Connected to the share's server, when there is a share. */
  readonly share: number | undefined;
  /** Where its console goes: a stream socket. */
  readonly console: number;
  /** Network cards that it has from the start; their MAC is on the VMM's command line. */
  readonly nics: readonly Nic[];
};

/** A VM as it was when it was saved (Vm.save): copies of it go on from there. */
export interface SavedVm {
  readonly state: Fd;
  /** Writes its memory to the copy's memory file, while the copy's VMM starts. @throws SysError */
  fillMemory(): void;
}

/** A network card of the guest's: its frames come from and go to a tap. */
export type Nic = {
  /** Its name to the VMM, once a VM. */
  readonly id: string;
  readonly mac: string;
  readonly tap: Fd;
  /** An open /dev/vhost-net, when the host's kernel is to move the frames. */
  readonly vhost: Fd | undefined;
};

/** Where network cards are added to a running machine. The VMM gets duplicates of a card's descriptors. */
export interface NicSlots {
  /** @throws KataError naming the VMM's reason; without effect then */
  plugNic(nic: Nic): Promise<void>;
  /** Takes it out, whatever the guest does. */
  unplugNic(id: string): Promise<void>;
}

/** What a running machine may get more of. It is the guest's when its kernel has brought it online. */
export interface VmGrowth {
  /** @throws KataError ResourceExhausted when it has not so many left; the VMM's reason */
  addVcpus(count: number): Promise<void>;
  /** @param MiB a multiple of the guest's memory block @throws KataError naming the VMM's reason; without effect then */
  addMemory(MiB: number): Promise<void>;
}

/** A running virtual machine. */
export interface Vm extends NicSlots, VmGrowth {
  readonly identity: ProcessIdentity;
  /** Resolves when the VMM's process has ended, however that came about. */
  readonly ended: Promise<ExitStatus>;
  /** The last line that the VMM wrote to stderr, for error texts; "" when it wrote none. */
  lastWords(): string;
  /**
   * Stops the VM for good and writes to `state` what it is besides its memory, which is in its memory file. It has neither share nor
   * network cards: they belong to a sandbox.
   * @throws KataError naming the VMM's reason
   */
  save(state: Fd): Promise<void>;
  /**
   * Ends the VM: asks the VMM to quit, then kills it when it is still there after `deadlineMs`. Resolves when the
   * process is gone. Without effect on one that has ended.
   */
  stop(deadlineMs: number): Promise<void>;
}

/** A driver for one VMM. */
export interface Hypervisor {
  readonly name: string;
  capabilities(): Capabilities;
  /**
   * Starts a VM; resolves as soon as the VMM's process runs, long before the guest does. With `saved`, which had the same `config`, the
   * guest goes on from there, has the share plugged in, and runs when it resolves; network cards it finds when it looks for new devices.
   * @throws KataError naming the VMM and the reason; DataLoss when the guest cannot go on from `saved`
   */
  start(config: VmConfig, descriptors: VmDescriptors, saved?: SavedVm): Promise<Vm>;
}
