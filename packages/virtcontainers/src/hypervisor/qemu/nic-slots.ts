import { KataError } from "@kata-containers/sys";
import type { Nic, NicSlots } from "../hypervisor.ts";
import { cardId } from "./arguments.ts";
import type { Qmp } from "./qmp.ts";
import type { TopologyChange } from "./topology.ts";

/** Runs a QMP command, with descriptors for QEMU. */
export type Command = (
  name: string,
  args: Readonly<Record<string, unknown>>,
  fds?: readonly number[],
) => Promise<unknown>;

/** Network cards of a running QEMU: by QMP, and by descriptor. */
export class QemuNicSlots implements NicSlots {
  readonly #command: Command;
  readonly #change: TopologyChange;
  /** Ports that take a card each, and the card that is in one; undefined: the root bus takes them. */
  readonly #ports: Map<string, string | undefined> | undefined;

  /** @param ports names of hotplug ports; none: the root bus takes cards */
  constructor(command: Command, change: TopologyChange, ports: readonly string[]) {
    this.#command = command;
    this.#change = change;
    this.#ports = ports.length === 0 ? undefined : new Map(ports.map((port) => [port, undefined]));
  }

  async plugNic(nic: Nic): Promise<void> {
    const { id, mac, tap, vhost } = nic;
    const port = this.#takePort(id);
    try {
      await this.#command("getfd", { fdname: id }, [tap.number]);
      const accelerated = vhost === undefined ? {} : { vhost: true, vhostfd: vhostName(id) };
      if (vhost !== undefined) await this.#command("getfd", { fdname: vhostName(id) }, [vhost.number]);
      await this.#command("netdev_add", { type: "tap", id, fd: id, ...accelerated });
      const card = { driver: "virtio-net-pci", id: cardId(id), netdev: id, mac, romfile: "" };
      const placed = port === undefined ? card : { ...card, bus: port };
      await this.#change(() => this.#command("device_add", placed));
    } catch (error) {
      this.#freePort(id);
      await this.#forget(id);
      throw error;
    }
  }

  /** What QEMU may have of a card by now. That it has none is no failure. */
  async #forget(id: string): Promise<void> {
    await this.#command("netdev_del", { id }).catch(() => {});
    for (const fdname of [id, vhostName(id)]) await this.#command("closefd", { fdname }).catch(() => {});
  }

  async unplugNic(id: string): Promise<void> {
    // Closes the tap at once. The card goes when the guest lets it go.
    const closed = this.#command("netdev_del", { id });
    await Promise.all([closed, this.#command("device_del", { id: cardId(id) })]);
  }

  /** QEMU says that a device is gone. */
  deviceDeleted(device: unknown): void {
    for (const [port, id] of this.#ports ?? []) {
      if (id !== undefined && cardId(id) === device) this.#ports?.set(port, undefined);
    }
  }

  #takePort(id: string): string | undefined {
    if (this.#ports === undefined) return undefined;
    const [port] = [...this.#ports].find(([, card]) => card === undefined) ?? [];
    if (port === undefined) {
      const why = `q35 has ${this.#ports.size} ports for network cards that are added, all in use`;
      throw new KataError("ResourceExhausted", `${why} (machine_type = "pc" has more)`);
    }
    this.#ports.set(port, id);
    return port;
  }

  #freePort(id: string): void {
    for (const [port, card] of this.#ports ?? []) if (card === id) this.#ports?.set(port, undefined);
  }
}

const vhostName = (id: string): string => `${id}-vhost`;

/** Commands of a connection that may not be there yet. @throws KataError Unavailable when QEMU never answered */
export function commandsOf(qmp: Promise<Qmp | undefined>, timeoutMs: number): Command {
  return async (name, args, fds) => {
    const connected = await qmp;
    if (connected === undefined) throw new KataError("Unavailable", "QMP: QEMU does not answer");
    return connected.execute(name, args, timeoutMs, fds);
  };
}
