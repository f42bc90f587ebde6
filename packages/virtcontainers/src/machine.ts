import { type KataConfig, readHostSize } from "@kata-containers/config";
import { deadline, exists, KataError, type Logger, ops, sleep, Undo } from "@kata-containers/sys";
import type { FrameTransport } from "@kata-containers/ttrpc";
import type { AgentChannel } from "./agent-channel/agent-channel.ts";
import { openAgentChannel } from "./agent-channel/choose.ts";
import "./hypervisor/qemu/driver.ts";
import type { Confinement } from "./confine/confinement.ts";
import { type Console, openConsole } from "./console.ts";
import { chooseAccelerator } from "./hypervisor/accelerator.ts";
import type { Vm, VmGrowth } from "./hypervisor/hypervisor.ts";
import { createHypervisor } from "./hypervisor/registry.ts";
import { measureTsc } from "./hypervisor/tsc.ts";
import { vmConfig } from "./hypervisor/vm-config.ts";
import { NO_NETWORK, openSandboxNetwork, type SandboxNetwork, VHOST_NET } from "./network/sandbox-network.ts";
import type { ProcessIdentity } from "./persist/record.ts";
import type { Phases } from "./phases.ts";
import { type VmSize, vmLimits, vmSize } from "./resource/vm-size.ts";
import type { GuestMount, ShareServer } from "./share/share.ts";
import { createVirtio9p } from "./share/virtio-9p.ts";
import { createVirtioFs } from "./share/virtio-fs.ts";

export type MachineDeps = {
  readonly config: KataConfig;
  readonly confinement: Confinement;
  readonly phases: Phases;
  readonly log: Logger;
  /** The sandbox's name among those of the host's things that have no place for its id. */
  readonly hash: string;
  /** What it has when it boots; undefined: what the configuration gives every sandbox. */
  readonly size: VmSize | undefined;
};

/** A virtual machine with its share and the connection to its agent: generic, it knows of no container yet. */
export interface Machine {
  /** VMM and share server, for the record. */
  readonly processes: readonly { readonly name: "qemu" | "virtiofsd"; readonly identity: ProcessIdentity }[];
  readonly guestMount: GuestMount;
  /** Where others on the host reach the agent; undefined: nowhere. */
  readonly agentUrl: string | undefined;
  /** The process that serves the share: virtiofsd, or the VMM itself. */
  readonly shareServerPid: number;
  /** Resolves with the agent's stream. @throws KataError when the guest dies or does not answer in `dial_timeout`. */
  readonly connected: Promise<FrameTransport>;
  /** What it had when it booted. */
  readonly size: VmSize;
  readonly growth: VmGrowth;
  /** What the guest has of the sandbox's network namespace. */
  readonly network: Pick<SandboxNetwork, "configure">;
  /** Resolves with the reason when VMM or share server have ended. */
  readonly ended: Promise<string>;
  /** Ends everything; resolves when all processes are gone. */
  stop(): Promise<void>;
}

/** Boots a machine; resolves when its processes run, while the guest still boots. Undoes all when it fails. */
export async function bootMachine(deps: MachineDeps): Promise<Machine> {
  const { config, confinement, phases, log, hash } = deps;
  const tscKhz = measureTsc(ops);
  const choice = chooseAccelerator(config.hypervisor.accelerator, ops);
  if (choice.warning !== undefined) log.warn(choice.warning);
  const hypervisor = createHypervisor("qemu", { config, confinement });
  const network = openNetwork(config, choice.accelerator === "kvm", hash, log);
  // What VMM and share server have by the end, and what is given back only when there is no machine.
  await using passed = new Undo();
  await using undo = new Undo();
  undo.defer(() => network.close());
  const channel = openAgentChannel(config.hypervisor.agent_channel, (text) => log.warn(text));
  passed.defer(() => channel.releaseVmmFd());
  undo.defer(() => channel.close());
  const shareDriver =
    config.hypervisor.shared_fs === "virtio-9p" ? createVirtio9p() : createVirtioFs(config, confinement);
  const console = openConsole(config.hypervisor.enable_debug || config.agent.enable_debug ? log : undefined);
  passed.defer(() => ops.close(console.vmmFd));
  phases.end("host");
  const share = await shareDriver.open();
  passed.defer(() => share.close());
  const { kernelParams } = channel;
  const host = readHostSize();
  const size = deps.size ?? vmSize(config, host, []);
  const vmm = vmConfig(
    config,
    choice.accelerator,
    size,
    vmLimits(config, host),
    kernelParams,
    await tscKhz(),
  );
  // At once: each waits for the other on a socket, not here.
  const [vm, server] = await bothOrNone(
    hypervisor.start(vmm, {
      agent: channel.device,
      share: share.vmmFd,
      console: console.vmmFd,
      nics: network.nics,
    }),
    share.serve(),
  );
  phases.end("qemu");
  network.started(vm);
  const { guestMount } = shareDriver;
  const machine = new RunningMachine({
    vm,
    size,
    server,
    network,
    guestMount,
    channel,
    console,
    config,
    phases,
  });
  undo.commit();
  return machine;
}

/** @throws KataError naming an interface of the sandbox's that cannot be connected */
function openNetwork(
  { runtime, hypervisor }: KataConfig,
  kvm: boolean,
  mark: string,
  log: Logger,
): SandboxNetwork {
  if (runtime.internetworking_model === "none") return NO_NETWORK;
  const vhost = kvm && !hypervisor.disable_vhost_net && exists(VHOST_NET);
  return openSandboxNetwork({ vhost, mark, log });
}

/** VMM and share server, or the first one's failure after the other one was ended. */
async function bothOrNone(starting: Promise<Vm>, serving: Promise<ShareServer>): Promise<[Vm, ShareServer]> {
  const [vm, server] = await Promise.allSettled([starting, serving]);
  if (vm.status === "fulfilled" && server.status === "fulfilled") return [vm.value, server.value];
  if (vm.status === "fulfilled") await vm.value.stop(0);
  if (server.status === "fulfilled") await server.value.stop();
  throw vm.status === "rejected" ? vm.reason : server.status === "rejected" ? server.reason : undefined;
}

const QEMU_FIRST_MS = 200;

type Parts = {
  readonly vm: Vm;
  readonly size: VmSize;
  readonly server: ShareServer;
  readonly network: SandboxNetwork;
  readonly guestMount: GuestMount;
  readonly channel: AgentChannel;
  readonly console: Console;
  readonly config: KataConfig;
  readonly phases: Phases;
};

class RunningMachine implements Machine {
  readonly processes: Machine["processes"];
  readonly guestMount: GuestMount;
  readonly size: VmSize;
  readonly growth: VmGrowth;
  readonly network: Machine["network"];
  readonly agentUrl: string | undefined;
  readonly shareServerPid: number;
  readonly connected: Promise<FrameTransport>;
  readonly ended: Promise<string>;
  readonly #parts: Parts;

  constructor(parts: Parts) {
    const { vm, server, console } = parts;
    this.#parts = parts;
    this.guestMount = parts.guestMount;
    this.size = parts.size;
    this.growth = vm;
    this.network = parts.network;
    this.agentUrl = parts.channel.url;
    this.shareServerPid = (server.identity ?? vm.identity).pid;
    this.processes = [
      { name: "qemu", identity: vm.identity },
      ...(server.identity === undefined ? [] : [{ name: "virtiofsd" as const, identity: server.identity }]),
    ];
    const vmEnd = Promise.all([vm.ended, console.ended]).then(() =>
      endOf("QEMU", console.panic() || vm.lastWords()),
    );
    // virtiofsd ends by itself right after QEMU has: then QEMU's reason is the reason.
    const shareEnd = server.ended
      .then(() => sleep(QEMU_FIRST_MS))
      .then(() => endOf("virtiofsd", server.lastWords()));
    this.ended = Promise.race([vmEnd, shareEnd]);
    this.connected = this.#connect(parts.phases);
    // Whoever creates the first container looks at it; until then it may fail alone.
    this.connected.catch(() => {});
  }

  async #connect(phases: Phases): Promise<FrameTransport> {
    const seconds = this.#parts.config.agent.dial_timeout;
    // QEMU and the guest's kernel say what they miss, not in which file.
    const { kernel, initrd } = this.#parts.config.hypervisor;
    const died = this.ended.then((why) => {
      throw new KataError("Unavailable", `cannot start VM: ${why} (kernel ${kernel}, initrd ${initrd})`);
    });
    const answer = this.#parts.channel.connect(seconds * 1000);
    // The channel ends together with the VMM, which says more about the reason.
    const orDied = answer.catch((error: unknown) =>
      KataError.from(error).code === "Unavailable"
        ? deadline(died, 1000, () => KataError.from(error))
        : Promise.reject(error),
    );
    const channel = await Promise.race([orDied, died]).catch((cause: unknown) => {
      if (KataError.from(cause).code !== "DeadlineExceeded") throw cause;
      const why = `the agent did not answer within ${seconds} s (agent.kata.dial_timeout)`;
      const words = this.#parts.vm.lastWords() || this.#parts.console.lastLine();
      throw new KataError(
        "DeadlineExceeded",
        `cannot start VM: ${why}${words === "" ? "" : `; last heard: ${words}`}`,
        { cause },
      );
    });
    phases.end("kernel");
    return channel;
  }

  async stop(): Promise<void> {
    this.#parts.channel.close();
    await this.#parts.vm.stop(this.#parts.config.runtime.stop_timeout * 1000);
    await this.#parts.server.stop();
    this.#parts.network.close();
  }
}

function endOf(program: string, words: string): string {
  return words === "" ? `${program} ended` : `${program} ended: ${words}`;
}
