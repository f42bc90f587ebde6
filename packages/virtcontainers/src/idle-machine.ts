import type { KataConfig } from "@kata-containers/config";
import { Health } from "@kata-containers/protocols";
import { type Logger, RpcDurations } from "@kata-containers/sys";
import type { Agent } from "./agent-client/agent.ts";
import { createAgent } from "./agent-client/ttrpc-agent.ts";
import type { Confinement } from "./confine/confinement.ts";
import { warmUp } from "./factory/warm-up.ts";
import { findBasis } from "./find-basis.ts";
import type { Machine } from "./machine.ts";
import type { Basis } from "./machine-plan.ts";
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
  readonly #basis: Basis;
  readonly #network: LaterNetwork;

  private constructor(
    basis: Basis,
    machine: Machine,
    agent: Agent,
    agentRpcs: RpcDurations,
    network: LaterNetwork,
  ) {
    this.#basis = basis;
    this.machine = machine;
    this.agent = agent;
    this.agentRpcs = agentRpcs;
    this.#network = network;
  }

  /** @throws KataError when it cannot be started; nothing is left then */
  static async start({ config, confinement, log }: IdleMachineDeps): Promise<IdleMachine> {
    const network = new LaterNetwork();
    const openNetwork = () => network;
    const basis = findBasis(config, log);
    const deps = {
      config,
      confinement,
      log,
      openNetwork,
      phases: new Phases(),
      size: undefined,
      ahead: true,
    };
    const machine = await startMachine(deps, basis);
    try {
      const agentRpcs = new RpcDurations();
      const timeoutMs = config.agent.request_timeout * 1000;
      const agent = createAgent(await machine.connected, timeoutMs, agentRpcs);
      await agent.request(Health.Check, {});
      await warmUp(agent, confinement, machine.guestMount, config.runtime);
      agentRpcs.clear();
      return new IdleMachine(basis, machine, agent, agentRpcs, network);
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
      const { accelerator, warning } = this.#basis;
      if (warning !== undefined) log.warn(warning);
      await this.#network.become(() => openNetwork(accelerator === "kvm"));
      return this.machine;
    } catch (error) {
      await this.machine.stop();
      throw error;
    }
  }
}
