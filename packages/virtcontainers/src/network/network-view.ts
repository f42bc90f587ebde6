import {
  type Address,
  ARPHRD,
  FAMILY,
  IFF,
  type Link,
  type Neighbour,
  NUD,
  type Route,
  RTPROT,
  type Rtnetlink,
} from "@kata-containers/netlink";

/** A network interface of the sandbox's namespace that the virtual machine gets as a network card. */
export type Endpoint = { readonly link: Link; readonly addresses: readonly Address[] };

/** What of a network namespace is the virtual machine's. */
export type NetworkView = {
  /** In the order of their names. */
  readonly endpoints: readonly Endpoint[];
  readonly routes: readonly Route[];
  /** The permanent ones. */
  readonly neighbours: readonly Neighbour[];
  /** Interfaces that have addresses, and cannot be connected: why, by their index. */
  readonly refused: ReadonlyMap<number, string>;
};

/** Kinds of interfaces whose frames can be taken and given by tc. */
const CONNECTABLE = ["veth", "macvlan", "ipvlan", "tun"];
/** Bytes of an Ethernet address, as text. */
const MAC_LENGTH = 17;

/** A sandbox's own tap: not one of the interfaces that it was given. */
const OWN_TAP = /^tap\d+_kata$/;
export const tapName = (number: number): string => `tap${number}_kata`;

/**
 * Looks at a network namespace: what is configured there, loopback and a sandbox's own taps aside.
 * @param connected indexes of links that are endpoints already: they stay ones while they have no address
 */
export function viewNetwork(rtnetlink: Rtnetlink, connected: ReadonlySet<number>): NetworkView {
  const links = rtnetlink.links().filter((link) => !(link.flags & IFF.LOOPBACK) && !OWN_TAP.test(link.name));
  if (links.length === 0) return { endpoints: [], routes: [], neighbours: [], refused: new Map() };
  const addresses = rtnetlink.addresses();
  const configured = links
    .map((link) => ({ link, addresses: addresses.filter((each) => each.link === link.index && lasts(each)) }))
    .filter((each) => each.addresses.length > 0 || connected.has(each.link.index))
    .sort((a, b) => (a.link.name < b.link.name ? -1 : 1));
  const endpoints = configured.filter(({ link }) => obstacleOf(link) === undefined);
  const refused = configured.flatMap(({ link }) => {
    const why = obstacleOf(link);
    return why === undefined ? [] : [[link.index, why] as const];
  });
  const indexes = new Set(endpoints.map(({ link }) => link.index));
  return {
    endpoints,
    routes: rtnetlink.routes().filter((route) => indexes.has(route.link) && isSet(route)),
    neighbours: rtnetlink
      .neighbours()
      .filter((each) => indexes.has(each.link) && (each.state & NUD.PERMANENT) !== 0),
    refused: new Map(refused),
  };
}

/** What a router's advertisement gives for some time the guest's own kernel hears as well. */
function lasts({ family, permanent }: Address): boolean {
  return family === FAMILY.IPV4 || permanent;
}

/** The kernel's own routes follow from the addresses. */
function isSet({ protocol }: Route): boolean {
  return protocol !== RTPROT.KERNEL && protocol !== RTPROT.RA;
}

function obstacleOf({ name, kind, hardware, mac }: Link): string | undefined {
  const what = `network interface ${name}`;
  if (!CONNECTABLE.includes(kind)) {
    const found = kind === "" ? "hardware, or a device without a kind" : `of kind ${kind}`;
    return `${what} is ${found}: only ${CONNECTABLE.join(", ")} can be connected to a virtual machine`;
  }
  if (hardware !== ARPHRD.ETHERNET || mac.length !== MAC_LENGTH)
    return `${what} (${kind}) has no Ethernet frames: a virtual machine's network card has no others`;
  return undefined;
}
