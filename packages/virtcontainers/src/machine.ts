import type { KataConfig } from "@kata-containers/config";
import { deadline, KataError, sleep } from "@kata-containers/sys";
import type { FrameTransport } from "@kata-containers/ttrpc";
import type { AgentChannel } from "./agent-channel/agent-channel.ts";
import type { Console } from "./console.ts";
import type { Vm, VmGrowth } from "./hypervisor/hypervisor.ts";
import type { SandboxNetwork } from "./network/sandbox-network.ts";
import type { ProcessIdentity } from "./persist/record.ts";
import type { Phases } from "./phases.ts";
import type { VmSize } from "./resource/vm-size.ts";
import type { GuestMount, ShareServer } from "./share/share.ts";

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
  /** What it had when it booted, or was copied. */
  readonly size: VmSize;
  /** Whether the guest's clock has to be set: it has stood still since its template was saved, or has run for who knows how long. */
  readonly setClock: boolean;
  readonly growth: VmGrowth;
  /** What the guest has of the sandbox's network namespace. */
  readonly network: Pick<SandboxNetwork, "configure">;
  /** Resolves with the reason when VMM or share server have ended. */
  readonly ended: Promise<string>;
  /** Ends everything; resolves when all processes are gone. */
  stop(): Promise<void>;
}

const QEMU_FIRST_MS = 200;

export type MachineParts = {
  readonly vm: Vm;
  readonly size: VmSize;
  readonly setClock: boolean;
  /** How long its agent may take to answer, and the setting that says so. */
  readonly answer: { readonly seconds: number; readonly setting?: string };
  readonly server: ShareServer;
  readonly network: SandboxNetwork;
  readonly guestMount: GuestMount;
  readonly channel: AgentChannel;
  readonly console: Console;
  readonly config: KataConfig;
  readonly phases: Phases;
};

/** The machine whose parts run. */
export class RunningMachine implements Machine {
  readonly processes: Machine["processes"];
  readonly guestMount: GuestMount;
  readonly size: VmSize;
  readonly setClock: boolean;
  readonly growth: VmGrowth;
  readonly network: Machine["network"];
  readonly agentUrl: string | undefined;
  readonly shareServerPid: number;
  readonly connected: Promise<FrameTransport>;
  readonly ended: Promise<string>;
  readonly #parts: MachineParts;

  constructor(parts: MachineParts) {
    const { vm, server, console } = parts;
    this.#parts = parts;
    this.guestMount = parts.guestMount;
    this.size = parts.size;
    this.setClock = parts.setClock;
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
    const { seconds, setting } = this.#parts.answer;
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
      const where = setting === undefined ? "" : ` (${setting})`;
      const why = `the agent did not answer within ${seconds} s${where}`;
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
