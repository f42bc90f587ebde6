import type { KataConfig } from "@kata-containers/config";
import { Health } from "@kata-containers/protocols";
import { type Logger, ops, RpcDurations } from "@kata-containers/sys";
import type { Agent } from "./agent-client/agent.ts";
import { createAgent } from "./agent-client/ttrpc-agent.ts";
import type { Confinement } from "./confine/confinement.ts";
import { warmUp } from "./factory/warm-up.ts";
import { chooseAccelerator } from "./hypervisor/accelerator.ts";
import type { Machine } from "./machine.ts";
import { LaterNetwork } from "./network/later-network.ts";
import type { SandboxNetwork } from "./network/sandbox-network.ts";
import { Phases } from "./phases.ts";
import { startMachine } from "./start-machine.ts";

export type IdleMachineDeps = {
  readonly config: KataConfig;
  readonly confinement: Confinement;
  readonly log: Logger;
};

/** A machine whose agent answers, made before it is known for whom: it waits for its sandbox. */
export class IdleMachine {
  readonly machine: Machine;
  readonly agent: Agent;
  /** Counts the requests to the agent, from its sandbox on. */
  readonly agentRpcs: RpcDurations;
  readonly #config: KataConfig;
  readonly #network: LaterNetwork;

  private constructor(
    config: KataConfig,
    machine: Machine,
    agent: Agent,
    agentRpcs: RpcDurations,
    network: LaterNetwork,
  ) {
    this.#config = config;
    this.machine = machine;
    this.agent = agent;
    this.agentRpcs = agentRpcs;
    this.#network = network;
  }

  /** @throws KataError when it cannot be started; nothing is left then */
  static async start({ config, confinement, log }: IdleMachineDeps): Promise<IdleMachine> {
    const network = new LaterNetwork();
    const openNetwork = () => network;
    const machine = await startMachine({
      config,
      confinement,
      log,
      openNetwork,
      phases: new Phases(),
      size: undefined,
      ahead: true,
    });
    try {
      const agentRpcs = new RpcDurations();
      const timeoutMs = config.agent.request_timeout * 1000;
      const agent = createAgent(await machine.connected, timeoutMs, agentRpcs);
      await agent.request(Health.Check, {});
      await warmUp(agent, confinement, machine.guestMount);
      agentRpcs.clear();
      return new IdleMachine(config, machine, agent, agentRpcs, network);
    } catch (error) {
      await machine.stop();
      throw error;
    }
  }

  /**
   * Once: it is the sandbox's in whose network namespace this process is now.
   * @throws KataError naming what of the network cannot be connected; it is gone then
   */
  async become(openNetwork: (kvm: boolean) => SandboxNetwork, log: Logger): Promise<Machine> {
    try {
      const { accelerator, warning } = chooseAccelerator(this.#config.hypervisor.accelerator, ops);
      if (warning !== undefined) log.warn(warning);
      await this.#network.become(() => openNetwork(accelerator === "kvm"));
      return this.machine;
    } catch (error) {
      await this.machine.stop();
      throw error;
    }
  }
}
