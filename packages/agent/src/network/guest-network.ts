import {
  type Link,
  type NetworkChanges,
  NUD,
  openRtnetlink,
  plainAddress,
  type Rtnetlink,
  watchNetwork,
} from "@kata-containers/netlink";
import type { ARPNeighbor, Init, Interface, Route } from "@kata-containers/protocols";
import { deadline, KataError } from "@kata-containers/sys";
import type { KernelModules } from "../boot/kernel-modules.ts";
import type { Devices } from "../storage/driver.ts";
import { configureLink, describeInterface, findByMac, parseInterface } from "./guest-interface.ts";
import { describeRoutes, replaceRoutes } from "./guest-routes.ts";

const CARD_DRIVER = "virtio_net";

export interface GuestNetworkParts {
  readonly modules: Pick<KernelModules, "load">;
  /** How long a network card may take to appear, in milliseconds. */
  readonly hotplugTimeoutMs: number;
  readonly devices: Pick<Devices, "find">;
  /** The guest's network namespace. */
  readonly open?: () => Rtnetlink;
  readonly watch?: () => NetworkChanges;
}

/** The network that the guest's containers share. Nothing of it is loaded or open before the host first asks. */
export class GuestNetwork {
  readonly #parts: GuestNetworkParts;

  constructor(parts: GuestNetworkParts) {
    this.#parts = parts;
  }

  /**
   * Makes the network card with the message's hardware address what the message says, and brings it up.
   * @throws KataError InvalidArgument; DeadlineExceeded when no such card appears
   */
  async updateInterface(message: Interface): Promise<Init<Interface>> {
    const wanted = parseInterface(message);
    using rtnetlink = this.#open();
    this.#parts.modules.load(CARD_DRIVER);
    const link = await this.#card(rtnetlink, wanted.mac);
    try {
      configureLink(rtnetlink, link, wanted);
    } catch (error) {
      throw KataError.from(error, `cannot configure network interface ${wanted.name}`);
    }
    return describeInterface(rtnetlink, findByMac(rtnetlink.links(), wanted.mac) ?? link);
  }

  updateRoutes(routes: readonly Route[]): Init<Route>[] {
    using rtnetlink = this.#open();
    replaceRoutes(rtnetlink, routes);
    return describeRoutes(rtnetlink);
  }

  interfaces(): Init<Interface>[] {
    using rtnetlink = this.#open();
    return rtnetlink.links().map((link) => describeInterface(rtnetlink, link));
  }

  routes(): Init<Route>[] {
    using rtnetlink = this.#open();
    return describeRoutes(rtnetlink);
  }

  addNeighbours(neighbours: readonly ARPNeighbor[]): void {
    using rtnetlink = this.#open();
    const links = rtnetlink.links();
    for (const each of neighbours) addNeighbour(rtnetlink, links, each);
  }

  #open(): Rtnetlink {
    return (this.#parts.open ?? openRtnetlink)();
  }

  /** It may be plugged in just now. */
  async #card(rtnetlink: Rtnetlink, mac: string): Promise<Link> {
    const found = findByMac(rtnetlink.links(), mac);
    if (found !== undefined) return found;
    this.#parts.devices.find();
    const { watch = watchNetwork, hotplugTimeoutMs: ms } = this.#parts;
    using changes = watch();
    return await deadline(
      appearing(rtnetlink, changes, mac),
      ms,
      () => new KataError("DeadlineExceeded", `network card ${mac} did not appear within ${ms} ms`),
    );
  }
}

async function appearing(rtnetlink: Rtnetlink, changes: NetworkChanges, mac: string): Promise<Link> {
  do {
    const link = findByMac(rtnetlink.links(), mac);
    if (link !== undefined) return link;
  } while (await changes.next());
  throw new KataError("Canceled", `nobody waits for network card ${mac} any more`);
}

function addNeighbour(rtnetlink: Rtnetlink, links: readonly Link[], neighbour: ARPNeighbor): void {
  const { toIPAddress, device, lladdr, state, flags } = neighbour;
  // The address may come with a prefix's length, which says nothing.
  const text = (toIPAddress?.address ?? "").replace(/\/.*/, "");
  try {
    const link = links.find(({ name }) => name === device);
    if (link === undefined)
      throw new KataError("InvalidArgument", `no network interface ${JSON.stringify(device)}`);
    const address = plainAddress(text);
    rtnetlink.setNeighbour({ link: link.index, address, mac: lladdr, state: state || NUD.PERMANENT, flags });
  } catch (error) {
    throw KataError.from(error, `neighbour ${text}`);
  }
}
