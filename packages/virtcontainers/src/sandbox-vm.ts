import type { Spec } from "@kata-containers/oci";
import { AgentService, Health } from "@kata-containers/protocols";
import { KataError, type Logger, ops } from "@kata-containers/sys";
import type { FrameTransport } from "@kata-containers/ttrpc";
import type { Agent } from "./agent-client/agent.ts";
import { setGuestClock } from "./guest-clock.ts";
import type { Machine } from "./machine.ts";
import { GUEST_SHARED_DIR } from "./paths.ts";
import { type SandboxRecord, withResource } from "./persist/record.ts";
import type { Store } from "./persist/store.ts";
import type { Phases } from "./phases.ts";
import type { Growing } from "./resource/sandbox-size.ts";
import { shmStorage } from "./share/memory-volume.ts";

export type SandboxVmDeps = {
  readonly phases: Phases;
  readonly log: Pick<Logger, "warn">;
  readonly store: Store;
  /** Talks to the agent over a connected channel, which it takes over. */
  readonly talk: (channel: FrameTransport) => Agent;
};

/** Bytes of host entropy that the guest's pool starts with. */
const SEED_BYTES = 64;

/** A sandbox's virtual machine and the agent in it: generic at first, the sandbox's from its first container on. */
export class SandboxVm {
  readonly #id: string;
  readonly #deps: SandboxVmDeps;
  readonly #machine: Promise<Machine>;
  readonly #onEnd: () => void;
  #running: Machine | undefined;
  #agent: Agent | undefined;
  #started: Promise<Agent> | undefined;
  #stopping: Promise<void> | undefined;
  #tellEnd: (why: string) => void = () => {};
  /** Resolves with the reason when the VM is gone, however that came about. */
  readonly ended: Promise<string>;

  /** @param onEnd called when the VM is gone, before `ended` resolves; more than once */
  constructor(id: string, machine: Promise<Machine>, deps: SandboxVmDeps, onEnd: () => void) {
    this.#id = id;
    this.#deps = deps;
    this.#onEnd = onEnd;
    this.ended = new Promise((resolve) => {
      this.#tellEnd = resolve;
    });
    this.#machine = machine.then((running) => this.#watch(running));
    this.#machine.catch((error: unknown) => this.#end(KataError.from(error).message));
  }

  /** The agent; undefined while there is none. */
  get agent(): Agent | undefined {
    return this.#agent;
  }

  /** The machine; undefined while its processes do not run. */
  get machine(): Machine | undefined {
    return this.#running;
  }

  /** @throws KataError Unavailable without a running VM */
  connectedAgent(): Agent {
    if (this.#agent === undefined)
      throw new KataError("Unavailable", `sandbox "${this.#id}" has no running VM`);
    return this.#agent;
  }

  /** What may grow. @throws KataError when there is no machine, or no agent yet */
  async growing(): Promise<Growing> {
    const { size, growth } = await this.#machine;
    return { size, growth, agent: this.connectedAgent() };
  }

  /** @throws KataError when there is no machine */
  async shareServerPid(): Promise<number> {
    return (await this.#machine).shareServerPid;
  }

  /** Whether it was told to stop. */
  get stopping(): boolean {
    return this.#stopping !== undefined;
  }

  /**
   * Once, for the first container: the generic VM becomes this sandbox.
   * @param shmBytes size of its /dev/shm; undefined: the default
   */
  start(spec: Spec, shmBytes: number | undefined): Promise<Agent> {
    this.#started ??= this.#becomeSandbox(spec, shmBytes);
    return this.#started;
  }

  /** Stops the VM; resolves when all its processes are gone. */
  stop(): Promise<void> {
    this.#stopping ??= this.#stop();
    return this.#stopping;
  }

  async #stop(): Promise<void> {
    const machine = await this.#machine.catch(() => undefined);
    await machine?.stop();
    this.#end("stopped");
  }

  async #becomeSandbox(spec: Spec, shmBytes: number | undefined): Promise<Agent> {
    const { phases, talk } = this.#deps;
    const machine = await this.#machine;
    const agent = talk(await machine.connected);
    this.#agent = agent;
    await agent.request(Health.Check, {});
    phases.end("agent");
    await phases.measure("sandbox", () =>
      Promise.all([
        agent.request(AgentService.ReseedRandomDev, { data: ops.random(SEED_BYTES) }),
        agent.request(AgentService.CreateSandbox, {
          // Of one that names none, as with runc: a new UTS namespace begins with the host's name.
          hostname: (spec.hostname || ops.uname().nodename).slice(0, 64),
          domainname: spec.domainname ?? "",
          sandboxId: this.#id,
          storages: [{ ...machine.guestMount, mountPoint: `${GUEST_SHARED_DIR}/` }, shmStorage(shmBytes)],
        }),
        ...(machine.setClock ? [setGuestClock(agent, this.#deps.log)] : []),
        machine.network.configure(agent),
      ]),
    );
    return agent;
  }

  async #watch(machine: Machine): Promise<Machine> {
    try {
      this.#deps.store.update(this.#id, (record) =>
        machine.processes.reduce<SandboxRecord>(
          (all, { name, identity }) => withResource(all, { kind: "process", name, identity }),
          record,
        ),
      );
    } catch (error) {
      await machine.stop();
      throw KataError.from(error, "cannot write state");
    }
    this.#running = machine;
    machine.ended.then((why) => {
      this.#end(why);
      // Of VMM and share server one may have outlived the other.
      return this.stop();
    });
    return machine;
  }

  #end(why: string): void {
    this.#agent?.close();
    this.#agent = undefined;
    this.#running = undefined;
    this.#onEnd();
    this.#tellEnd(why);
  }
}
