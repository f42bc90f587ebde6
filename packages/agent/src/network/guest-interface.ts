import {
  type Address,
  addressBits,
  FAMILY,
  IFF,
  type Link,
  parseAddress,
  parseLength,
  parseMac,
  plainAddress,
  type Rtnetlink,
  stopIpv6Generation,
} from "@kata-containers/netlink";
import { type Init, type Interface, IPFamily } from "@kata-containers/protocols";
import { KataError } from "@kata-containers/sys";

/** What an interface is to be, checked. */
export type WantedInterface = {
  readonly mac: string;
  readonly name: string;
  /** 0: as it is. */
  readonly mtu: number;
  readonly arp: boolean;
  readonly addresses: readonly WantedAddress[];
};
type WantedAddress = Pick<Address, "address" | "prefix">;

/** @throws KataError InvalidArgument naming the field */
export function parseInterface(message: Interface): WantedInterface {
  const { hwAddr, name, mtu, rawFlags, IPAddresses } = message;
  return {
    mac: checked("hwAddr", () => {
      parseMac(hwAddr);
      return hwAddr.toLowerCase();
    }),
    name: checkName(name),
    mtu,
    arp: (rawFlags & IFF.NOARP) === 0,
    addresses: IPAddresses.map(({ address, mask }) =>
      checked("IPAddresses", () => ({
        address: plainAddress(address),
        prefix: parseLength(mask, addressBits(parseAddress(address).family)),
      })),
    ),
  };
}

function checked<T>(field: string, parse: () => T): T {
  try {
    return parse();
  } catch (error) {
    throw KataError.from(error, field);
  }
}

/** netdevice(7): up to 15 bytes, of which none is a slash or blank. */
function checkName(name: string): string {
  if (/^[!-.0-~]{1,15}$/.test(name) && name !== "." && name !== "..") return name;
  throw new KataError("InvalidArgument", `name: ${JSON.stringify(name)} is no network interface's name`);
}

/** The link with this Ethernet address; the guest's hardware before a bridge or the like that has taken it over. */
export function findByMac(links: readonly Link[], mac: string): Link | undefined {
  const found = links.filter((link) => link.mac === mac);
  return found.find(({ kind }) => kind === "") ?? found[0];
}

/**
 * Makes a link what is wanted and brings it up. Its addresses are those that are wanted and no others; on a link that was down,
 * IPv6's too.
 */
export function configureLink(rtnetlink: Rtnetlink, link: Link, wanted: WantedInterface): void {
  const { index } = link;
  const renamed = link.name !== wanted.name;
  if (renamed) {
    if (link.flags & IFF.UP) rtnetlink.setLink(index, { up: false });
    freeName(rtnetlink, wanted.name);
  }
  stopIpv6Generation(rtnetlink, index);
  rtnetlink.setLink(index, {
    arp: wanted.arp,
    ...(renamed ? { name: wanted.name } : {}),
    ...(wanted.mtu === 0 ? {} : { mtu: wanted.mtu }),
  });
  setAddresses(rtnetlink, index, wanted.addresses);
  rtnetlink.setLink(index, { up: true });
}

/** Another link that has the name gets one of its own, for now: it is told its own later. */
function freeName(rtnetlink: Rtnetlink, name: string): void {
  const other = rtnetlink.links().find((link) => link.name === name);
  if (other === undefined) return;
  const wasUp = (other.flags & IFF.UP) !== 0;
  if (wasUp) rtnetlink.setLink(other.index, { up: false });
  rtnetlink.setLink(other.index, { name: `kata${other.index}` });
  if (wasUp) rtnetlink.setLink(other.index, { up: true });
}

function setAddresses(rtnetlink: Rtnetlink, link: number, wanted: readonly WantedAddress[]): void {
  const same = (one: WantedAddress, other: WantedAddress): boolean =>
    one.address === other.address && one.prefix === other.prefix;
  const present = () => rtnetlink.addresses().filter((each) => each.link === link);
  for (const each of present()) {
    if (!wanted.some((one) => same(one, each))) rtnetlink.deleteAddress(each);
  }
  // With an address of IPv4 those below it went.
  const kept = present();
  for (const each of wanted) {
    if (!kept.some((one) => same(one, each))) rtnetlink.addAddress({ link, ...each });
  }
}

/** What UpdateInterface and ListInterfaces answer. */
export function describeInterface(rtnetlink: Rtnetlink, link: Link): Init<Interface> {
  const addresses = rtnetlink.addresses().filter((each) => each.link === link.index);
  return {
    device: link.name,
    name: link.name,
    hwAddr: link.mac,
    mtu: link.mtu,
    type: link.kind,
    rawFlags: link.flags,
    IPAddresses: addresses.map(({ family, address, prefix }) => ({
      family: family === FAMILY.IPV4 ? IPFamily.v4 : IPFamily.v6,
      address,
      mask: String(prefix),
    })),
  };
}
