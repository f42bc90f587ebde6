import { SysError } from "@kata-containers/sys";
import type { Address, Link, LinkChange, Neighbour, Route, RouteChange, Rtnetlink } from "../index.ts";
import { ARPHRD, FAMILY, IFF, RTPROT } from "../index.ts";

const familyOf = (address: string) => (address.includes(":") ? FAMILY.IPV6 : FAMILY.IPV4);

/** A veth that is up, but for what is said. */
export function fakeLink(link: Partial<Link> & Pick<Link, "index" | "name">): Link {
  const mac = `02:00:00:00:00:${link.index.toString(16).padStart(2, "0")}`;
  return { kind: "veth", hardware: ARPHRD.ETHERNET, flags: IFF.UP, mtu: 1500, mac, ...link };
}

/** A network namespace in memory. What is asked of it is noted. */
export class FakeRtnetlink implements Rtnetlink {
  readonly asked: string[] = [];
  linkList: Link[];
  addressList: Address[] = [];
  routeList: Route[] = [];
  neighbourList: Neighbour[] = [];
  /** Marks of the filters of links with an ingress qdisc, by their index. */
  readonly ingress = new Map<number, string[]>();
  /** The links that others' incoming frames go out of, by their index. */
  readonly redirected = new Map<number, number>();

  constructor(...links: Link[]) {
    this.linkList = links;
  }

  links(): readonly Link[] {
    return this.linkList;
  }

  setLink(index: number, change: LinkChange): void {
    this.#note("setLink", { index, ...change });
    const link = this.#link(index);
    const { name = link.name, mtu = link.mtu, mac = link.mac, up, arp } = change;
    const clash = this.linkList.some((each) => each.name === name && each.index !== index);
    if (clash) throw new SysError("EEXIST", "netlink request");
    if (name !== link.name && link.flags & IFF.UP) throw new SysError("EBUSY", "netlink request");
    const flags = flagIf(flagIf(link.flags, IFF.UP, up), IFF.NOARP, arp === undefined ? undefined : !arp);
    this.linkList = this.linkList.map((each) => (each === link ? { ...link, name, mtu, mac, flags } : each));
  }

  addresses(): readonly Address[] {
    return this.addressList;
  }

  addAddress({ link, address, prefix }: Omit<Address, "permanent" | "family">): void {
    this.#note("addAddress", { link, address, prefix });
    this.#link(link);
    this.addressList.push({ link, address, prefix, family: familyOf(address), permanent: true });
  }

  deleteAddress({ link, address, prefix }: Omit<Address, "permanent" | "family">): void {
    this.#note("deleteAddress", { link, address, prefix });
    this.addressList = this.addressList.filter((each) => each.link !== link || each.address !== address);
  }

  routes(): readonly Route[] {
    return this.routeList;
  }

  addRoute(route: RouteChange): void {
    this.#note("addRoute", { destination: route.destination ?? "default", gateway: route.gateway });
    this.routeList.push({ ...route, protocol: RTPROT.BOOT, beyond: undefined });
  }

  deleteRoute(route: RouteChange): void {
    this.#note("deleteRoute", { destination: route.destination ?? "default", gateway: route.gateway });
    this.routeList = this.routeList.filter(
      ({ destination, metric, link }) =>
        destination !== route.destination || metric !== route.metric || link !== route.link,
    );
  }

  neighbours(): readonly Neighbour[] {
    return this.neighbourList;
  }

  setNeighbour(neighbour: Omit<Neighbour, "family">): void {
    this.#note("setNeighbour", { ...neighbour });
    this.neighbourList.push({ ...neighbour, family: familyOf(neighbour.address) });
  }

  ingressLinks(): readonly number[] {
    return [...this.ingress.keys()];
  }

  addIngress(link: number): void {
    this.#link(link);
    if (this.ingress.has(link)) throw new SysError("EEXIST", "netlink request");
    this.ingress.set(link, []);
  }

  deleteIngress(link: number): void {
    if (!this.ingress.delete(link)) throw new SysError("ENOENT", "netlink request");
    this.redirected.delete(link);
  }

  redirect(from: number, to: number, mark: string): void {
    this.#link(to);
    this.ingress.get(from)?.push(mark);
    this.redirected.set(from, to);
  }

  filterMarks(link: number): readonly string[] {
    return this.ingress.get(link) ?? [];
  }

  [Symbol.dispose](): void {}

  #link(index: number): Link {
    const link = this.linkList.find((each) => each.index === index);
    if (link === undefined) throw new SysError("ENODEV", "netlink request");
    return link;
  }

  #note(what: string, details: object): void {
    this.asked.push(`${what} ${JSON.stringify(details)}`);
  }
}

function flagIf(flags: number, flag: number, set: boolean | undefined): number {
  return set === undefined ? flags : set ? flags | flag : flags & ~flag;
}
