import type { KataConfig } from "@kata-containers/config";
import { type Logger, ops, Undo } from "@kata-containers/sys";
import { openAgentChannel } from "./agent-channel/choose.ts";
import type { Confinement } from "./confine/confinement.ts";
import { openConsole } from "./console.ts";
import type { Vm } from "./hypervisor/hypervisor.ts";
import "./hypervisor/qemu/driver.ts";
import { copyAnswerSeconds } from "./factory/template.ts";
import { createHypervisor } from "./hypervisor/registry.ts";
import { type Machine, type MachineParts, RunningMachine } from "./machine.ts";
import { type Basis, type Plan, vmmOf } from "./machine-plan.ts";
import { NO_NETWORK, type SandboxNetwork } from "./network/sandbox-network.ts";
import type { Phases } from "./phases.ts";
import type { VmSize } from "./resource/vm-size.ts";
import { NO_SHARE, type ShareDriver, type ShareServer } from "./share/share.ts";
import { createVirtio9p } from "./share/virtio-9p.ts";
import { createVirtioFs } from "./share/virtio-fs.ts";

export type MachineDeps = {
  readonly config: KataConfig;
  readonly confinement: Confinement;
  readonly phases: Phases;
  readonly log: Logger;
  /** @param kvm whether KVM runs the guest @throws KataError naming an interface that cannot be connected */
  readonly openNetwork: (kvm: boolean) => SandboxNetwork;
  /** What it is to have at first; undefined: what the configuration gives every sandbox. */
  readonly size: VmSize | undefined;
  /** It is made before it is known for whom. */
  readonly ahead?: boolean;
};

function answerOf({ agent: { dial_timeout } }: KataConfig, copied: boolean): MachineParts["answer"] {
  const seconds = copyAnswerSeconds(dial_timeout);
  if (copied && seconds < dial_timeout) return { seconds };
  return { seconds: dial_timeout, setting: "agent.kata.dial_timeout" };
}

/** Starts the parts of a machine; resolves when its processes run. Undoes all when it fails. */
export async function assemble(
  deps: MachineDeps,
  basis: Basis,
  plan: Plan,
): Promise<{ readonly machine: Machine; readonly vm: Vm }> {
  const { config, confinement, phases, log, openNetwork, ahead = false } = deps;
  const { size, saved, bare = false } = plan;
  const hypervisor = createHypervisor("qemu", { config, confinement });
  const network = bare ? NO_NETWORK : openNetwork(basis.accelerator === "kvm");
  // What VMM and share server have by the end, and what is given back only when there is no machine.
  await using passed = new Undo();
  await using undo = new Undo();
  undo.defer(() => network.close());
  const channel = openAgentChannel(config.hypervisor.agent_channel, (text) => log.warn(text));
  passed.defer(() => channel.releaseVmmFd());
  undo.defer(() => channel.close());
  const console = openConsole(config.hypervisor.enable_debug || config.agent.enable_debug ? log : undefined);
  passed.defer(() => ops.close(console.vmmFd));
  phases.end("host");
  const shareDriver = bare ? NO_SHARE : chooseShare(config, confinement);
  const share = await shareDriver.open();
  passed.defer(() => share.close());
  // A copy's guest has read its command line already.
  const tscKhz = saved === undefined ? await basis.tscKhz() : undefined;
  const vmm = { ...vmmOf(config, basis, plan, channel.kernelParams), tscKhz };
  const descriptors = {
    agent: channel.device,
    share: share.vmmFd,
    console: console.vmmFd,
    nics: network.nics,
  };
  // At once: each waits for the other on a socket, not here.
  const [vm, server] = await bothOrNone(hypervisor.start(vmm, descriptors, saved), share.serve());
  phases.end("qemu");
  network.started(vm);
  const { guestMount } = shareDriver;
  const setClock = saved !== undefined || ahead;
  const answer = answerOf(config, saved !== undefined);
  const parts = { vm, size, setClock, answer, server, network, guestMount, channel, console };
  const machine = new RunningMachine({ ...parts, config, phases });
  undo.commit();
  return { machine, vm };
}

function chooseShare(config: KataConfig, confinement: Confinement): ShareDriver {
  return config.hypervisor.shared_fs === "virtio-9p" ? createVirtio9p() : createVirtioFs(config, confinement);
}

/** VMM and share server, or the first one's failure after the other one was ended. */
async function bothOrNone(starting: Promise<Vm>, serving: Promise<ShareServer>): Promise<[Vm, ShareServer]> {
  const [vm, server] = await Promise.allSettled([starting, serving]);
  if (vm.status === "fulfilled" && server.status === "fulfilled") return [vm.value, server.value];
  if (vm.status === "fulfilled") await vm.value.stop(0);
  if (server.status === "fulfilled") await server.value.stop();
  throw vm.status === "rejected" ? vm.reason : server.status === "rejected" ? server.reason : undefined;
}
