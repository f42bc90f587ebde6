import type { KataConfig } from "@kata-containers/config";
import { exists, Fd, ops, SOCK } from "@kata-containers/sys";
import { type Confinement, VMM_ROOT } from "../../confine/confinement.ts";
import { type ConfinedProcess, spawnConfined } from "../../confine/spawn.ts";
import type { Capabilities, Hypervisor, Vm, VmConfig, VmDescriptors } from "../hypervisor.ts";
import { registerHypervisor } from "../registry.ts";
import { type QemuDescriptors, qemuArguments } from "./arguments.ts";
import { connectQmp, type Qmp, type QmpTransport } from "./qmp.ts";
import { stopQemu } from "./stop-qemu.ts";

registerHypervisor("qemu", ({ config, confinement }) => new Qemu(config, confinement));

/** What this driver implements today; QEMU can do more. */
const CAPABILITIES: Capabilities = {
  fsSharing: true,
  blockHotplug: false,
  networkHotplug: false,
  cpuHotplug: false,
  memoryHotplug: false,
  pause: false,
  save: false,
};

/** A firmware that does nothing but enter the kernel: 0.03 to 0.15 s faster than SeaBIOS (guest/README.md). */
const QBOOT = "/usr/share/qemu/qboot.rom";

function bios(configured: string): { bios?: string } {
  if (configured !== "") return { bios: configured };
  return exists(VMM_ROOT + QBOOT) ? { bios: QBOOT } : {};
}

/**
 * What QEMU needs when it serves the share itself, by capabilities(7): to keep owners and modes as the guest sets them. CHOWN,
 * DAC_OVERRIDE, DAC_READ_SEARCH, FOWNER, FSETID.
 */
const SHARE_CAPABILITIES = [0, 1, 2, 3, 4].reduce((mask, bit) => mask + 2 ** bit, 0);

const FD = { qmp: 5, agent: 6, share: 7, console: 8 } as const;

/** Answers to QMP commands come at once, but for a host that is out of CPU. */
const QMP_TIMEOUT_MS = 10_000;

class Qemu implements Hypervisor {
  readonly name = "qemu";
  readonly #config: KataConfig;
  readonly #confinement: Confinement;

  constructor(config: KataConfig, confinement: Confinement) {
    this.#config = config;
    this.#confinement = confinement;
  }

  capabilities(): Capabilities {
    return CAPABILITIES;
  }

  async start(config: VmConfig, descriptors: VmDescriptors): Promise<Vm> {
    const { path, kernel, initrd, firmware } = this.#config.hypervisor;
    const [ours = -1, theirs = -1] = ops.socketpair(SOCK.STREAM);
    using qmpEnd = new Fd(theirs);
    const inherited = [
      { from: qmpEnd.number, to: FD.qmp },
      { from: descriptors.agent.fd, to: FD.agent },
      ...(descriptors.share === undefined ? [] : [{ from: descriptors.share, to: FD.share }]),
      { from: descriptors.console, to: FD.console },
    ];
    const fds: QemuDescriptors = {
      qmp: FD.qmp,
      agent: { ...descriptors.agent, fd: FD.agent },
      ...(descriptors.share === undefined ? {} : { share: FD.share }),
      console: FD.console,
    };
    try {
      const process = await spawnConfined(
        {
          name: "QEMU",
          path,
          argv: [path, ...qemuArguments(config, fds, { kernel, initrd, ...bios(firmware) })],
          fds: inherited,
          root: this.#confinement.vmmRoot,
          // Its 9p server changes modes through /proc/self/fd.
          proc: config.shareDirectory === undefined ? "none" : "processes",
          capabilities: config.shareDirectory === undefined ? 0 : SHARE_CAPABILITIES,
        },
        this.#confinement,
      );
      return new QemuVm(process, socketTransport(ours));
    } catch (error) {
      ops.close(ours);
      throw error;
    }
  }
}

class QemuVm implements Vm {
  readonly #process: ConfinedProcess;
  readonly #transport: QmpTransport;
  /** Made while the guest boots: nothing waits for it until the VM is to be stopped. */
  readonly #qmp: Promise<Qmp | undefined>;

  constructor(process: ConfinedProcess, transport: QmpTransport) {
    this.#process = process;
    this.#transport = transport;
    this.#qmp = connectQmp(transport, () => {}, QMP_TIMEOUT_MS).catch(() => undefined);
    process.ended.then(() => this.#transport.close());
  }

  get identity() {
    return this.#process.identity;
  }

  get ended() {
    return this.#process.ended;
  }

  lastWords(): string {
    return this.#process.lastWords();
  }

  stop(deadlineMs: number): Promise<void> {
    return stopQemu(this.#process, this.#qmp, deadlineMs);
  }
}

function socketTransport(fd: number): QmpTransport {
  let open = true;
  return {
    read: () => ops.read(fd, 65536),
    write: (bytes) => ops.write(fd, bytes),
    close() {
      if (open) ops.close(fd);
      open = false;
    },
  };
}
