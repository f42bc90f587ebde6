import { KataError } from "@kata-containers/sys";
import type { VmConfig, VmGrowth } from "../hypervisor.ts";
import { MEMORY } from "./arguments.ts";
import type { Command } from "./nic-slots.ts";
import type { TopologyChange } from "./topology.ts";

/** What a running QEMU gets more of: CPUs of the topology that it was started with, and memory modules. By QMP. */
export class QemuGrowth implements VmGrowth {
  readonly #command: Command;
  readonly #change: TopologyChange;
  readonly #config: Pick<VmConfig, "accelerator" | "memory">;
  #modules = 0;

  constructor(command: Command, change: TopologyChange, config: Pick<VmConfig, "accelerator" | "memory">) {
    this.#command = command;
    this.#change = change;
    this.#config = config;
  }

  async addVcpus(count: number): Promise<void> {
    // They are there, see qemuArguments: the guest brings them online.
    if (this.#config.accelerator === "tcg") return;
    const free = freePlaces(await this.#command("query-hotpluggable-cpus", {}));
    if (free.length < count)
      throw new KataError(
        "ResourceExhausted",
        `QEMU has places for ${free.length} more vCPUs, not for ${count}`,
      );
    await this.#change(async () => {
      for (const { type, props } of free.slice(0, count))
        await this.#command("device_add", { driver: type, ...props });
    });
  }

  async addMemory(MiB: number): Promise<void> {
    const id = `memory${++this.#modules}`;
    const size = MiB * 2 ** 20;
    await this.#command("object-add", {
      "qom-type": "memory-backend-memfd",
      id,
      size,
      share: true,
      ...MEMORY[this.#config.memory],
    });
    try {
      const module = { driver: "pc-dimm", id: `${id}-module`, memdev: id };
      await this.#change(() => this.#command("device_add", module));
    } catch (error) {
      await this.#command("object-del", { id }).catch(() => {});
      throw error;
    }
  }
}

interface CpuPlace {
  readonly type: string;
  readonly props: Readonly<Record<string, unknown>>;
}

/** Those without a CPU, the lowest first: QEMU lists them from the last one. */
function freePlaces(answer: unknown): CpuPlace[] {
  const places: readonly (CpuPlace & { readonly "qom-path"?: string })[] = Array.isArray(answer)
    ? answer
    : [];
  return places.filter((place) => place["qom-path"] === undefined).toReversed();
}
