import { KataError } from "@kata-containers/sys";
import type { Agent } from "../agent-client/agent.ts";
import type { NicSlots } from "../hypervisor/hypervisor.ts";
import type { LinkNic, SandboxNetwork } from "./sandbox-network.ts";

/** Connects the network namespace that this process is in then. */
export type OpenNetwork = () => SandboxNetwork;

/** The network of a machine that was started before it was known for whom: it has none until it gets one. */
export class LaterNetwork implements SandboxNetwork {
  readonly nics: readonly LinkNic[] = [];
  #vm: NicSlots | undefined;
  #network: SandboxNetwork | undefined;

  started(vm: NicSlots): void {
    this.#vm = vm;
  }

  /**
   * Once: the machine gets a card for each interface that is there.
   * @throws KataError naming the interface that cannot be connected
   */
  async become(open: OpenNetwork): Promise<void> {
    const vm = this.#vm;
    if (vm === undefined) throw new KataError("FailedPrecondition", "the VM does not run");
    const network = open();
    this.#network = network;
    for (const nic of network.nics) await plug(vm, nic);
    network.started(vm);
  }

  async configure(agent: Pick<Agent, "request">): Promise<void> {
    await this.#network?.configure(agent);
  }

  close(): void {
    this.#network?.close();
  }
}

async function plug(vm: NicSlots, nic: LinkNic): Promise<void> {
  try {
    await vm.plugNic(nic);
  } catch (error) {
    throw KataError.from(error, `network interface ${nic.link}`);
  }
}
