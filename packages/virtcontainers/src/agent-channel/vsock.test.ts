import { type Ops, SysError, setOps } from "@kata-containers/sys";
import { afterEach, expect, test } from "vitest";
import { createVsock } from "./vsock.ts";

afterEach(() => setOps(undefined));

/** An answer to a first call: no bytes, stream 1, RESPONSE. */
const ANSWER = new Uint8Array([0, 0, 0, 0, 0, 0, 0, 1, 2, 0]);

/**
 * A host whose /dev/vhost-vsock and connect answer as told, the last answer again and again: an errno, or what the op gives.
 * @param says what the agent says on each connection; undefined: nothing, ever
 */
function useHost(
  setCid: (string | undefined)[],
  connect: (string | number)[] = [],
  says: (Uint8Array | undefined)[] = [ANSWER],
) {
  const next = <T>(list: T[]): T | undefined => (list.length > 1 ? list.shift() : list[0]);
  const seen = { cids: [] as number[], dialled: 0, closed: [] as number[] };
  let said: Uint8Array | undefined;
  let stop: (error: SysError) => void = () => {};
  const fake: Partial<Ops> = {
    open: () => 99,
    close: (fd) => {
      seen.closed.push(fd);
      stop(new SysError("ECANCELED", "read"));
    },
    cancel: () => {},
    write: async () => {},
    read: async (_, max) => {
      if (said === undefined) return await new Promise<never>((_, reject) => (stop = reject));
      const part = said.subarray(0, max);
      said = said.subarray(max);
      return part;
    },
    sleep: async () => true,
    random: (length) => crypto.getRandomValues(new Uint8Array(length)),
    vhostVsockSetCid(_fd, cid) {
      seen.cids.push(cid);
      const code = next(setCid);
      if (code !== undefined) throw new SysError(code, "ioctl");
    },
    async vsockConnect() {
      seen.dialled++;
      const answer = next(connect);
      if (typeof answer === "string") throw new SysError(answer, "connect");
      said = next(says);
      return answer ?? -1;
    },
  };
  setOps(fake as Ops);
  return seen;
}

test("a context id that is taken is drawn again", () => {
  const { cids } = useHost(["EADDRINUSE", "EADDRINUSE", undefined]);
  const { device } = createVsock();
  expect(cids).toHaveLength(3);
  expect(device).toEqual({ kind: "vsock", fd: 99, cid: cids[2] });
  for (const cid of cids) expect(cid).toBeGreaterThan(2);
});

test("context ids that are all taken, and a device that refuses them, are errors", () => {
  useHost(["EADDRINUSE"]);
  expect(createVsock).toThrow(/EADDRINUSE/);
  useHost(["EPERM"]);
  expect(createVsock).toThrow(/EPERM/);
});

test("the guest is dialled until its agent listens", async () => {
  const seen = useHost([undefined], ["ETIMEDOUT", "ECONNRESET", "ECONNRESET", 42]);
  const stream = await createVsock().connect(10_000);
  expect(stream.peer.cid).toBeGreaterThan(2);
  expect(seen.dialled).toBe(4);
});

test("a connection that ends before the agent has answered, or on which something else does, is followed by another", async () => {
  const other = ANSWER.with(7, 3);
  const seen = useHost([undefined], [40, 41, 42], [new Uint8Array(0), other, ANSWER]);
  const stream = await createVsock().connect(10_000);
  expect([seen.dialled, seen.closed]).toEqual([3, [40, 41]]);
  stream.close();
});

test("a connection on which nobody says anything, not even its end, is followed by another", async () => {
  const seen = useHost([undefined], [40, 41], [undefined, ANSWER]);
  const stream = await createVsock().connect(10_000);
  expect([seen.dialled, seen.closed]).toEqual([2, [40]]);
  stream.close();
});

test("an agent that takes the connection and never answers is an error, and the connection is closed", async () => {
  const seen = useHost([undefined], [42], [undefined]);
  await expect(createVsock().connect(20)).rejects.toThrow(/no answer on vsock \d+:1024 within 20 ms/);
  expect(seen.closed).toContain(42);
});

test("an error that will not pass by itself ends the dialling", async () => {
  useHost([undefined], ["EACCES"]);
  await expect(createVsock().connect(10_000)).rejects.toThrow(/EACCES/);
});

test("closing the channel ends the dialling", async () => {
  useHost([undefined], ["ECONNRESET"]);
  const channel = createVsock();
  const connecting = channel.connect(10_000);
  channel.close();
  await expect(connecting).rejects.toThrow(/was closed/);
});

test("the agent is told its port", () => {
  useHost([undefined]);
  expect(createVsock().kernelParams).toEqual(["agent.server_addr=vsock://-1:1024"]);
});
