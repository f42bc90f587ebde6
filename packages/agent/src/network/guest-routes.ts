import {
  FAMILY,
  type Family,
  type Link,
  plainAddress,
  plainPrefix,
  type Route,
  type RouteChange,
  RTPROT,
  type Rtnetlink,
} from "@kata-containers/netlink";
import { type Init, IPFamily, type Route as RouteMessage } from "@kata-containers/protocols";
import { isSysError, KataError } from "@kata-containers/sys";

/** RTNH_F_ONLINK of rtnetlink(7). */
const ONLINK = 4;
/** IP6_RT_PRIO_USER: what the kernel gives an IPv6 route that has no metric. */
const IPV6_METRIC = 1024;
const DEFAULTS = ["", "default", "0.0.0.0/0", "::/0"];

/** Makes the guest's routes those of the messages; the kernel's own stay. @throws KataError InvalidArgument naming the route */
export function replaceRoutes(rtnetlink: Rtnetlink, messages: readonly RouteMessage[]): void {
  const links = rtnetlink.links();
  const wanted = messages.map((message) => parseRoute(message, links));
  const present = rtnetlink.routes().filter(isOurs);
  const has = (list: readonly RouteChange[], route: RouteChange): boolean =>
    list.some((each) => key(each) === key(route));
  for (const route of present) if (!has(wanted, route)) rtnetlink.deleteRoute(route);
  // A gateway must be reachable when its route is added.
  const missing = wanted.filter((route) => !has(present, route));
  for (const route of [...missing.filter(isDirect), ...missing.filter((each) => !isDirect(each))])
    add(rtnetlink, route);
}

/** What others set: not the kernel, and not a router by its advertisement. */
function isOurs({ protocol, beyond }: Route): boolean {
  return protocol !== RTPROT.KERNEL && protocol !== RTPROT.RA && beyond === undefined;
}

const isDirect = ({ gateway }: RouteChange): boolean => gateway === undefined;

function key(route: RouteChange): string {
  const { family, destination, gateway, link, source, scope, metric, onLink, mtu } = route;
  return JSON.stringify([family, destination, gateway, link, source, scope, metric, onLink, mtu]);
}

function add(rtnetlink: Rtnetlink, route: RouteChange): void {
  try {
    rtnetlink.addRoute(route);
  } catch (error) {
    // The kernel has one of its own that says the same.
    if (isSysError(error, "EEXIST")) return;
    const via = route.gateway === undefined ? "" : ` via ${route.gateway}`;
    throw KataError.from(error, `cannot add route ${route.destination ?? "default"}${via}`);
  }
}

function parseRoute(message: RouteMessage, links: readonly Link[]): RouteChange {
  const { dest, gateway, device, source, scope, flags, mtu, metric } = message;
  const what = `route ${dest || "default"}`;
  try {
    const link = links.find(({ name }) => name === device);
    if (link === undefined)
      throw new KataError("InvalidArgument", `no network interface ${JSON.stringify(device)}`);
    const family = familyOf(message);
    return {
      family,
      destination: DEFAULTS.includes(dest) ? undefined : plainPrefix(dest),
      gateway: gateway === "" ? undefined : plainAddress(gateway),
      link: link.index,
      source: source === "" ? undefined : plainAddress(source),
      scope,
      metric: metric === 0 && family === FAMILY.IPV6 ? IPV6_METRIC : metric,
      onLink: (flags & ONLINK) !== 0,
      mtu,
    };
  } catch (error) {
    throw KataError.from(error, what);
  }
}

/** By its addresses: a caller that has only one family does not say which. */
function familyOf({ dest, gateway, family }: RouteMessage): Family {
  const text = gateway || (DEFAULTS.includes(dest) && !dest.includes("/") ? "" : dest);
  if (text !== "") return text.includes(":") ? FAMILY.IPV6 : FAMILY.IPV4;
  return family === IPFamily.v6 ? FAMILY.IPV6 : FAMILY.IPV4;
}

/** What UpdateRoutes and ListRoutes answer: the main table. */
export function describeRoutes(rtnetlink: Rtnetlink): Init<RouteMessage>[] {
  const links = rtnetlink.links();
  return rtnetlink.routes().map((route) => ({
    dest: route.destination ?? "",
    gateway: route.gateway ?? "",
    device: links.find(({ index }) => index === route.link)?.name ?? "",
    source: route.source ?? "",
    scope: route.scope,
    family: route.family === FAMILY.IPV4 ? IPFamily.v4 : IPFamily.v6,
    flags: route.onLink ? ONLINK : 0,
    mtu: route.mtu,
    metric: route.metric,
  }));
}
