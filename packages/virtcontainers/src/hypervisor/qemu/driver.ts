import type { KataConfig } from "@kata-containers/config";
import { exists, Fd, ops, SOCK } from "@kata-containers/sys";
import { type Confinement, VMM_ROOT } from "../../confine/confinement.ts";
import { type ConfinedProcess, spawnConfined } from "../../confine/spawn.ts";
import type { Capabilities, Hypervisor, Nic, Vm, VmConfig, VmDescriptors } from "../hypervisor.ts";
import { registerHypervisor } from "../registry.ts";
import { NIC_PORTS, type QemuDescriptors, type QemuNic, qemuArguments } from "./arguments.ts";
import { QemuGrowth } from "./growth.ts";
import { commandsOf, QemuNicSlots } from "./nic-slots.ts";
import { connectQmp, type Qmp, type QmpEvent, type QmpTransport } from "./qmp.ts";
import { stopQemu } from "./stop-qemu.ts";
import { topologyChange } from "./topology.ts";

registerHypervisor("qemu", ({ config, confinement }) => new Qemu(config, confinement));

/** What this driver implements today; QEMU can do more. */
const CAPABILITIES: Capabilities = {
  fsSharing: true,
  blockHotplug: false,
  networkHotplug: true,
  cpuHotplug: true,
  memoryHotplug: true,
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

const FD = { qmp: 5, agent: 6, share: 7, console: 8, firstNic: 9 } as const;

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
    const nics = numbered(descriptors.nics);
    const inherited = [
      { from: qmpEnd.number, to: FD.qmp },
      { from: descriptors.agent.fd, to: FD.agent },
      ...(descriptors.share === undefined ? [] : [{ from: descriptors.share, to: FD.share }]),
      { from: descriptors.console, to: FD.console },
      ...descriptors.nics.flatMap((nic, index) => inheritedBy(nics[index], nic)),
    ];
    const fds: QemuDescriptors = {
      qmp: FD.qmp,
      agent: { ...descriptors.agent, fd: FD.agent },
      ...(descriptors.share === undefined ? {} : { share: FD.share }),
      console: FD.console,
      nics,
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
      return new QemuVm(process, socketTransport(ours), config);
    } catch (error) {
      ops.close(ours);
      throw error;
    }
  }
}

class QemuVm implements Vm {
  readonly #process: ConfinedProcess;
  readonly #transport: QmpTransport;
  /** Made while the guest boots: nothing waits for it until a card is plugged in, or the VM is to be stopped. */
  readonly #qmp: Promise<Qmp | undefined>;

  readonly #nics: QemuNicSlots;
  readonly #growth: QemuGrowth;

  constructor(process: ConfinedProcess, transport: QmpTransport, config: VmConfig) {
    this.#process = process;
    this.#transport = transport;
    const onEvent = ({ name, details }: QmpEvent): void => {
      if (name === "DEVICE_DELETED") this.#nics.deviceDeleted(deviceOf(details));
    };
    this.#qmp = connectQmp(transport, onEvent, QMP_TIMEOUT_MS).catch(() => undefined);
    const { machineType, accelerator } = config;
    const command = commandsOf(this.#qmp, QMP_TIMEOUT_MS);
    const change = topologyChange(command, accelerator);
    this.#nics = new QemuNicSlots(command, change, machineType === "q35" ? NIC_PORTS : []);
    this.#growth = new QemuGrowth(command, change, config);
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

  plugNic(nic: Nic): Promise<void> {
    return this.#nics.plugNic(nic);
  }

  unplugNic(id: string): Promise<void> {
    return this.#nics.unplugNic(id);
  }

  addVcpus(count: number): Promise<void> {
    return this.#growth.addVcpus(count);
  }

  addMemory(MiB: number): Promise<void> {
    return this.#growth.addMemory(MiB);
  }

  stop(deadlineMs: number): Promise<void> {
    return stopQemu(this.#process, this.#qmp, deadlineMs);
  }
}

/** The numbers of the cards' descriptors in QEMU: two a card. */
function numbered(nics: readonly Nic[]): QemuNic[] {
  return nics.map(({ id, mac, vhost }, index) => {
    const tap = FD.firstNic + 2 * index;
    return { id, mac, tap, vhost: vhost === undefined ? undefined : tap + 1 };
  });
}

function inheritedBy(theirs: QemuNic | undefined, { tap, vhost }: Nic): { from: number; to: number }[] {
  if (theirs === undefined) return [];
  const accelerated =
    vhost === undefined || theirs.vhost === undefined ? [] : [{ from: vhost.number, to: theirs.vhost }];
  return [{ from: tap.number, to: theirs.tap }, ...accelerated];
}

function deviceOf(details: unknown): unknown {
  return typeof details === "object" && details !== null && "device" in details ? details.device : undefined;
}

function socketTransport(fd: number): QmpTransport {
  let open = true;
  return {
    read: () => ops.read(fd, 65536),
    write: (bytes, fds) => (fds.length === 0 ? ops.write(fd, bytes) : ops.sendFds(fd, bytes, [...fds])),
    close() {
      if (open) ops.close(fd);
      open = false;
    },
  };
}
