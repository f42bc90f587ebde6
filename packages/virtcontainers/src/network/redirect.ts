import {
  type Link,
  openTrafficControl,
  type Rtnetlink,
  stopIpv6Generation,
  type TrafficControl,
} from "@kata-containers/netlink";
import { Fd, isSysError, KataError, O, ops } from "@kata-containers/sys";

const TUN = "/dev/net/tun";

/**
 * A new tap whose frames are a link's: what comes in on one goes out of the other, past the namespace's own network stack. Both have
 * an ingress qdisc then, the link's to be removed by `releaseLink`; the tap goes with its last descriptor.
 * @param mark of the sandbox's own, by which the redirection is found after a crash
 * @throws KataError naming the link; nothing was changed
 */
export function connectTap(rtnetlink: Rtnetlink, link: Link, name: string, mark: string): Fd {
  try {
    const tap = openTap(name);
    try {
      redirectBoth(rtnetlink, link, indexOf(rtnetlink, name), mark);
      return tap;
    } catch (error) {
      tap.close();
      throw error;
    }
  } catch (error) {
    throw KataError.from(error, `cannot connect network interface ${link.name} to the virtual machine`);
  }
}

/** A new tap in the network namespace that this process is in, which goes with its last descriptor. @throws SysError */
export function openTap(name: string): Fd {
  const tap = new Fd(ops.open(TUN, O.RDWR | O.CLOEXEC, 0));
  try {
    ops.tapCreate(tap.number, name);
    return tap;
  } catch (error) {
    tap.close();
    throw error;
  }
}

function indexOf(rtnetlink: Rtnetlink, name: string): number {
  const link = rtnetlink.links().find((each) => each.name === name);
  if (link === undefined) throw new KataError("Internal", `${name} is not there`);
  return link.index;
}

function redirectBoth(rtnetlink: Rtnetlink, link: Link, tap: number, mark: string): void {
  // Before it is up: nothing of the host's shall speak to the guest by itself.
  stopIpv6Generation(rtnetlink, tap);
  rtnetlink.setLink(tap, { mtu: link.mtu });
  rtnetlink.addIngress(tap);
  rtnetlink.redirect(tap, link.index, mark);
  takeIngress(rtnetlink, link.index);
  try {
    rtnetlink.redirect(link.index, tap, mark);
    rtnetlink.setLink(tap, { up: true });
  } catch (error) {
    rtnetlink.deleteIngress(link.index);
    throw error;
  }
}

function takeIngress(rtnetlink: Rtnetlink, link: number): void {
  try {
    rtnetlink.addIngress(link);
  } catch (cause) {
    if (!isSysError(cause, "EEXIST")) throw cause;
    const why = "it has an ingress qdisc already, that of another virtual machine or of another program";
    throw new KataError("FailedPrecondition", why, { cause });
  }
}

/** The link's incoming frames are the namespace's again. Nothing to do for a link that is gone. */
export function releaseLink(control: TrafficControl, link: number): void {
  try {
    control.deleteIngress(link);
  } catch (error) {
    if (!isSysError(error, "ENODEV", "ENOENT", "EINVAL")) throw error;
  }
}

/**
 * Takes a sandbox's redirections off every link of a network namespace that outlives it.
 * @param path of the namespace; nothing to do when it is gone, or is another one by now
 */
export function restoreNamespace(path: string, inode: number, mark: string): void {
  if (ops.statIfThere(path)?.ino !== inode) return;
  using namespace = new Fd(ops.open(path, O.RDONLY | O.CLOEXEC, 0));
  if (ops.fstat(namespace.number).ino !== inode) return;
  using control = openTrafficControl(namespace);
  releaseAll(control, mark);
}

/** Releases the links whose ingress qdisc has a filter with the mark, or none at all: a sandbox died between the two. */
export function releaseAll(control: TrafficControl, mark: string): void {
  for (const link of control.ingressLinks()) {
    const marks = control.filterMarks(link);
    if (marks.length === 0 || marks.includes(mark)) releaseLink(control, link);
  }
}
