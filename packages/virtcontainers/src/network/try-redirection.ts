import { openRtnetlink, type Rtnetlink } from "@kata-containers/netlink";
import { CLONE, Fd, KataError, O, ops } from "@kata-containers/sys";
import { openTap } from "./redirect.ts";

const OWN_NETWORK = "/proc/thread-self/ns/net";

/**
 * Redirects a tap's frames as for a sandbox's interface, in a network namespace that is there for this alone.
 * @throws KataError what the host's kernel misses or refuses
 */
export function tryRedirection(open: () => Rtnetlink = openRtnetlink): void {
  using own = new Fd(ops.open(OWN_NETWORK, O.RDONLY | O.CLOEXEC, 0));
  attempt("a network namespace", () => ops.unshare(CLONE.NEWNET));
  try {
    using _tap = openTap("trial");
    using rtnetlink = open();
    redirect(rtnetlink);
  } finally {
    ops.setns(own.number, CLONE.NEWNET);
  }
}

/** Of the two links of a new namespace, the tap and the loopback interface, which does for the sandbox's. */
function redirect(rtnetlink: Rtnetlink): void {
  const [from = 0, to = 0] = rtnetlink.links().map(({ index }) => index);
  attempt("tc's ingress qdisc (sch_ingress)", () => rtnetlink.addIngress(from));
  attempt("tc's redirection (cls_u32, act_mirred)", () => rtnetlink.redirect(from, to, ""));
}

function attempt(what: string, work: () => void): void {
  try {
    work();
  } catch (error) {
    throw KataError.from(error, what);
  }
}
