import { IFF } from "@kata-containers/netlink";
import { FakeRtnetlink, fakeLink } from "@kata-containers/netlink/testing";
import { CLONE, type Ops, SysError, setOps } from "@kata-containers/sys";
import { afterEach, beforeEach, expect, test } from "vitest";
import { tryRedirection } from "./try-redirection.ts";

let rtnetlink: FakeRtnetlink;
/** What was done, in order. */
let done: string[];
let refused: string | undefined;

function refuse(call: string): void {
  if (refused === call) throw new SysError("ENOENT", call);
  done.push(call);
}

beforeEach(() => {
  rtnetlink = new FakeRtnetlink(fakeLink({ index: 1, name: "lo", flags: IFF.LOOPBACK }));
  done = [];
  refused = undefined;
  let fds = 100;
  const fake: Partial<Ops> = {
    open: (path) => {
      refuse(`open ${path}`);
      return ++fds;
    },
    close: (fd) => void done.push(`close ${fd}`),
    unshare: (flags) => refuse(`unshare ${flags}`),
    setns: (fd, flags) => void done.push(`setns ${fd} ${flags}`),
    tapCreate: (_fd, name) => {
      refuse("tapCreate");
      rtnetlink.linkList.push(fakeLink({ index: 2, name, kind: "tun", flags: 0 }));
    },
  };
  setOps(fake as Ops);
});
afterEach(() => setOps(undefined));

const back = ["close 102", `setns 101 ${CLONE.NEWNET}`, "close 101"];

test("a redirection is tried in a namespace of its own, which is left", () => {
  tryRedirection(() => rtnetlink);
  expect([...rtnetlink.redirected]).toEqual([[1, 2]]);
  expect(done).toEqual([
    "open /proc/thread-self/ns/net",
    `unshare ${CLONE.NEWNET}`,
    "open /dev/net/tun",
    "tapCreate",
    ...back,
  ]);
});

test.each([
  ["open /dev/net/tun", "open /dev/net/tun: ENOENT"],
  ["tapCreate", "tapCreate: ENOENT"],
  ["addIngress", "tc's ingress qdisc (sch_ingress): addIngress: ENOENT"],
  ["redirect", "tc's redirection (cls_u32, act_mirred): redirect: ENOENT"],
])("%s that is refused is told, and the namespace is left", (call, message) => {
  refused = call;
  rtnetlink.addIngress = () => refuse("addIngress");
  rtnetlink.redirect = () => refuse("redirect");
  expect(() => tryRedirection(() => rtnetlink)).toThrow(message);
  expect(done).toContain(`setns 101 ${CLONE.NEWNET}`);
  expect(done.at(-1)).toBe("close 101");
});

test("a namespace that cannot be made is told", () => {
  refused = `unshare ${CLONE.NEWNET}`;
  expect(() => tryRedirection(() => rtnetlink)).toThrow("a network namespace: unshare");
  expect(done).toEqual(["open /proc/thread-self/ns/net", "close 101"]);
});
