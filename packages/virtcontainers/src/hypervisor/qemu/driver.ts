import type { KataConfig } from "@kata-containers/config";
import { exists, Fd, KataError, ops, SOCK } from "@kata-containers/sys";
import { type Confinement, VMM_ROOT } from "../../confine/confinement.ts";
import { type ConfinedProcess, spawnConfined } from "../../confine/spawn.ts";
import { SHARE_TAG } from "../../paths.ts";
import type { Capabilities, Hypervisor, Nic, SavedVm, Vm, VmConfig, VmDescriptors } from "../hypervisor.ts";
import { registerHypervisor } from "../registry.ts";
import {
  NIC_PORTS,
  QBOOT,
  type QemuDescriptors,
  type QemuNic,
  qemuArguments,
  SHARE_PORT,
} from "./arguments.ts";
import { QemuGrowth } from "./growth.ts";
import { type Command, commandsOf, QemuNicSlots } from "./nic-slots.ts";
import { connectQmp, type Qmp, type QmpEvent, type QmpTransport } from "./qmp.ts";
import { StateTransfer } from "./saved-state.ts";
import { stopQemu } from "./stop-qemu.ts";
import { type TopologyChange, topologyChange } from "./topology.ts";

registerHypervisor("qemu", ({ config, confinement }) => new Qemu(config, confinement));

/** What this driver implements today; QEMU can do more. */
const CAPABILITIES: Capabilities = {
  fsSharing: true,
  blockHotplug: false,
  networkHotplug: true,
  cpuHotplug: true,
  memoryHotplug: true,
  pause: false,
  save: true,
};

/** One that is saved, and its copies, have SeaBIOS: qboot does not tell QEMU where the guest has its generation ID. */
function bios(configured: string, saved: boolean): { bios?: string } {
  if (configured !== "") return { bios: configured };
  if (saved) return {};
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

  async start(config: VmConfig, descriptors: VmDescriptors, saved?: SavedVm): Promise<Vm> {
    const { path, kernel, initrd, firmware } = this.#config.hypervisor;
    const [ours = -1, theirs = -1] = ops.socketpair(SOCK.STREAM);
    const transport = socketTransport(ours);
    using qmpEnd = new Fd(theirs);
    // QEMU takes no state while it has a vhost-user-fs device: a copy gets it after that.
    const share = saved === undefined ? descriptors.share : undefined;
    const nics = numbered(descriptors.nics);
    const inherited = [
      { from: qmpEnd.number, to: FD.qmp },
      { from: descriptors.agent.fd, to: FD.agent },
      ...(share === undefined ? [] : [{ from: share, to: FD.share }]),
      { from: descriptors.console, to: FD.console },
      ...descriptors.nics.flatMap((nic, index) => inheritedBy(nics[index], nic)),
    ];
    const fds: QemuDescriptors = {
      qmp: FD.qmp,
      agent: { ...descriptors.agent, fd: FD.agent },
      ...(share === undefined ? {} : { share: FD.share }),
      console: FD.console,
      nics,
      incoming: saved !== undefined,
    };
    const firmwareFile = bios(firmware, config.memoryFile !== undefined);
    try {
      const process = await spawnConfined(
        {
          name: "QEMU",
          path,
          argv: [path, ...qemuArguments(config, fds, { kernel, initrd, ...firmwareFile })],
          fds: inherited,
          root: this.#confinement.vmmRoot,
          // Its 9p server changes modes through /proc/self/fd.
          proc: config.shareDirectory === undefined ? "none" : "processes",
          capabilities: config.shareDirectory === undefined ? 0 : SHARE_CAPABILITIES,
        },
        this.#confinement,
      );
      const vm = new QemuVm(process, transport, config, saved === undefined);
      if (saved !== undefined) await vm.goOnFrom(saved, descriptors.share);
      return vm;
    } catch (error) {
      transport.close();
      throw error;
    }
  }
}

class QemuVm implements Vm {
  readonly #process: ConfinedProcess;
  readonly #transport: QmpTransport;
  /** Made while the guest boots: nothing waits for it until a card is plugged in, or the VM is to be stopped. */
  readonly #qmp: Promise<Qmp | undefined>;

  readonly #config: VmConfig;
  readonly #command: Command;
  readonly #change: TopologyChange;
  readonly #nics: QemuNicSlots;
  readonly #growth: QemuGrowth;
  readonly #transfer: StateTransfer;
  #runs: boolean;

  /** @param runs false: it waits for a saved VM's state */
  constructor(process: ConfinedProcess, transport: QmpTransport, config: VmConfig, runs: boolean) {
    this.#process = process;
    this.#transport = transport;
    this.#config = config;
    this.#runs = runs;
    const onEvent = ({ name, details }: QmpEvent): void => {
      if (name === "DEVICE_DELETED") this.#nics.deviceDeleted(deviceOf(details));
      if (name === "MIGRATION") this.#transfer.migrationEvent(details);
    };
    this.#qmp = connectQmp(transport, onEvent, QMP_TIMEOUT_MS).catch(() => undefined);
    const { machineType, accelerator } = config;
    const command = commandsOf(this.#qmp, QMP_TIMEOUT_MS);
    const change = topologyChange(command, accelerator, () => this.#runs);
    this.#command = command;
    this.#change = change;
    this.#nics = new QemuNicSlots(command, change, machineType === "q35" ? NIC_PORTS : []);
    this.#growth = new QemuGrowth(command, change, config);
    this.#transfer = new StateTransfer(command);
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

  async save(state: Fd): Promise<void> {
    this.#runs = false;
    await this.#orEnd(this.#transfer.write(state));
  }

  /** Becomes a copy of the saved VM, and runs. It is gone when that fails. @throws KataError DataLoss when the saved VM is at fault */
  async goOnFrom(saved: SavedVm, share: number | undefined): Promise<void> {
    try {
      // QEMU starts meanwhile.
      saved.fillMemory();
      await this.#orEnd(this.#transfer.read(saved.state)).catch((cause) => {
        const why = KataError.from(cause).message;
        throw new KataError("DataLoss", `QEMU cannot go on from the saved VM: ${why}`, { cause });
      });
      if (share !== undefined) await this.#orEnd(this.#plugShare(share));
      await this.#orEnd(this.#command("cont", {}));
      this.#runs = true;
    } catch (error) {
      await this.#process.kill();
      throw error;
    }
  }

  async #plugShare(socket: number): Promise<void> {
    const { shareQueueSize, machineType } = this.#config;
    const addr = { type: "fd", data: { str: "share" } };
    await this.#command("getfd", { fdname: "share" }, [socket]);
    const backend = { type: "socket", data: { addr, server: false } };
    await this.#command("chardev-add", { id: "share", backend });
    const device = { driver: "vhost-user-fs-pci", id: "share-device", chardev: "share", tag: SHARE_TAG };
    const placed = machineType === "q35" ? { ...device, bus: SHARE_PORT } : device;
    await this.#change(() => this.#command("device_add", { ...placed, "queue-size": shareQueueSize }));
  }

  /** A QEMU that has ended answers nothing more. */
  #orEnd<T>(work: Promise<T>): Promise<T> {
    const ended = this.ended.then((): never => {
      throw new KataError("Unavailable", `QEMU ended: ${this.lastWords()}`);
    });
    return Promise.race([work, ended]);
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
