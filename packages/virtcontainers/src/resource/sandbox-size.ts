import { type HostSize, type KataConfig, readHostSize } from "@kata-containers/config";
import type { Resources } from "@kata-containers/oci";
import { AgentService } from "@kata-containers/protocols";
import { KataError, type Logger } from "@kata-containers/sys";
import type { Agent } from "../agent-client/agent.ts";
import type { VmGrowth } from "../hypervisor/hypervisor.ts";
import { type VmSize, vmSize, type Workload, workloadOf } from "./vm-size.ts";

export interface SandboxSizeDeps {
  readonly config: KataConfig;
  readonly log: Pick<Logger, "info" | "warn">;
  /** Notes the machine's new size. */
  readonly save: (size: VmSize) => void;
}

/** The machine that is to grow. */
export interface Growing {
  readonly size: VmSize;
  readonly growth: VmGrowth;
  readonly agent: Agent;
}

/** A guest's memory block is a power of two between these (Linux, arch/x86/mm/init_64.c: probe_memory_block_size), bytes. */
const MIN_BLOCK = 2 ** 27;
const MAX_BLOCK = 2 ** 31;
/** More blocks than any guest has. */
const MAX_BLOCKS = 1 << 20;

/**
 * Keeps a sandbox's machine as large as its containers' limits ask. It grows before the container is made or gets the limit; it does not
 * shrink: what a container leaves is there for the next one.
 */
export class SandboxSize {
  readonly #deps: SandboxSizeDeps;
  readonly #workloads = new Map<string, Workload>();
  #host: HostSize | undefined;
  #size: VmSize | undefined;
  /** Of the memory: what was added rounded up to it. */
  #block: { readonly MiB: number; count: number } | undefined;
  #growing: Promise<void> = Promise.resolve();

  constructor(deps: SandboxSizeDeps) {
    this.#deps = deps;
  }

  /**
   * Makes the machine large enough for a container, a new one or one whose limits change. When it fails, what the container asked for
   * before is what counts.
   * @param machine resolves when the agent can be asked
   * @throws KataError InvalidArgument when it would be more than the machine may have; ResourceExhausted, Unavailable and the VMM's own
   *   reason when it cannot be added
   */
  fit(id: string, resources: Resources | undefined, machine: () => Promise<Growing>): Promise<void> {
    const fitted = this.#growing.then(() => this.#fit(id, resources, machine));
    this.#growing = fitted.catch(() => {});
    return fitted;
  }

  /** Of a container that has ended, or was never made. */
  forget(id: string): void {
    this.#workloads.delete(id);
  }

  async #fit(id: string, resources: Resources | undefined, machine: () => Promise<Growing>): Promise<void> {
    const before = this.#workloads.get(id);
    this.#workloads.set(id, workloadOf(resources, before));
    try {
      this.#host ??= readHostSize();
      const { config, log } = this.#deps;
      const wanted = vmSize(config, this.#host, [...this.#workloads.values()], (text) => log.warn(text));
      await this.#grow(wanted, await machine());
    } catch (error) {
      if (before === undefined) this.#workloads.delete(id);
      else this.#workloads.set(id, before);
      throw error;
    }
  }

  async #grow(wanted: VmSize, machine: Growing): Promise<void> {
    let size = this.#size ?? machine.size;
    const { growth, agent } = machine;
    const memory = wanted.memoryMiB > size.memoryMiB;
    const vcpus = wanted.vcpus > size.vcpus;
    if (!memory && !vcpus) return;
    if (memory) {
      const { MiB, count } = await this.#memoryBlock(agent);
      const blocks = Math.ceil((wanted.memoryMiB - size.memoryMiB) / MiB);
      await growth.addMemory(blocks * MiB).catch(tooSmall(wanted));
      this.#block = { MiB, count: count + blocks };
      size = this.#became({ ...size, memoryMiB: size.memoryMiB + blocks * MiB });
    }
    if (vcpus) {
      await growth.addVcpus(wanted.vcpus - size.vcpus).catch(tooSmall(wanted));
      size = this.#became({ ...size, vcpus: wanted.vcpus });
    }
    await agent.request(AgentService.OnlineCPUMem, {
      wait: true,
      nbCpus: size.vcpus,
      cpuOnly: !memory,
      memBlocks: memory ? (this.#block?.count ?? 0) : 0,
    });
    this.#deps.log.info("the VM has grown", { ...size });
  }

  #became(size: VmSize): VmSize {
    this.#size = size;
    this.#deps.save(size);
    return size;
  }

  /** As the guest tells it, which may be hostile. */
  async #memoryBlock(agent: Agent): Promise<{ readonly MiB: number; readonly count: number }> {
    if (this.#block !== undefined) return this.#block;
    const details = await agent.request(AgentService.GetGuestDetails, { memBlockSize: true });
    const { memBlockSizeBytes: bytes, memBlocks: count } = details;
    const isPowerOfTwo = Number.isInteger(Math.log2(bytes));
    if (!isPowerOfTwo || bytes < MIN_BLOCK || bytes > MAX_BLOCK || !(count >= 0 && count <= MAX_BLOCKS))
      throw new KataError(
        "Unavailable",
        `the guest's memory cannot grow: its kernel says that a block of memory has ${bytes} bytes`,
      );
    return { MiB: bytes / 2 ** 20, count };
  }
}

function tooSmall({ vcpus, memoryMiB }: VmSize): (cause: unknown) => never {
  return (cause) => {
    throw KataError.from(cause, `the VM cannot grow to ${vcpus} vCPUs and ${memoryMiB} MiB`);
  };
}
