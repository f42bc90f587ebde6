import { join } from "node:path";
import { AgentService } from "@kata-containers/protocols";
import { expect, test } from "vitest";
import { makeBundle } from "../harness/bundle.ts";
import { Guest } from "./guest.ts";
import { GuestContainer } from "./guest-container.ts";

/** Children of PID 1's that the agent has not started: they end when /go is there. A shell gives what it starts so /dev/null. */
const ORPHANS = `[ -e /dev/null ] || /busybox mknod /dev/null c 1 3
for n in 1 2 3; do ($sh -c 'until [ -e /go ]; do /busybox sleep 0.1; done' &); done`;
const SHARE = {
  driver: "virtio-fs",
  source: "kataShared",
  fstype: "virtiofs",
  mountPoint: "/run/kata-containers/shared/containers/",
};

test("the agent as PID 1 reaps orphans: none that ends stays a zombie", async () => {
  await using guest = new Guest({ before: ORPHANS });
  const client = await guest.connect();
  await client.unary(AgentService.CreateSandbox, { hostname: "box", storages: [SHARE] });
  makeBundle(join(guest.shared, "box"));
  const box = await GuestContainer.create(client, "box", ["sleep", "1000"], false, [
    { destination: "/guest-proc", type: "bind", source: "/proc", options: ["bind", "ro"] },
    { destination: "/guest-root", type: "bind", source: "/", options: ["bind"] },
  ]);
  await box.start();
  let execs = 0;
  const sh = async (script: string) => {
    const execId = `e${execs++}`;
    await box.exec(execId, ["sh", "-c", script]);
    return box.read("stdout", execId);
  };
  /** States of the orphans in the guest: "Z" of one that has ended and not been reaped. */
  const orphans = async () => {
    const text = await sh("grep -hE '^(Name|State|PPid):' /guest-proc/[0-9]*/status 2>&-");
    const found = text.matchAll(/^Name:\tbusybox\nState:\t(.).*\nPPid:\t1$/gm);
    return [...found].map(([, state]) => state);
  };
  expect(await orphans()).toHaveLength(3);
  await sh("touch /guest-root/go");
  await expect.poll(orphans).toEqual([]);
});
