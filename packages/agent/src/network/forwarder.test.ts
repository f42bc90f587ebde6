import { type Ops, SHUT, SysError, setOps } from "@kata-containers/sys";
import { afterEach, beforeEach, expect, test } from "vitest";
import { Forwarder } from "./forwarder.ts";

/** What was done with descriptors, in order. */
let done: string[];
/** Why an address refuses; absent: it does not. */
let refusals: Readonly<Record<string, string>>;

beforeEach(() => {
  done = [];
  refusals = {};
  const fake: Partial<Ops> = {
    inetConnect: async (_, address, port) => {
      const refusal = refusals[address];
      if (refusal !== undefined) throw new SysError(refusal, "connect");
      done.push(`connect ${address} ${port}`);
      return 7;
    },
    shutdown: (fd, how) => {
      done.push(`shutdown ${fd} ${how}`);
    },
    cancel: (fd) => {
      done.push(`cancel ${fd}`);
    },
    close: (fd) => {
      done.push(`close ${fd}`);
    },
  };
  setOps(fake as Ops);
});
afterEach(() => setOps(undefined));

test("a connection is half closed by the end of its input, and closed once", async () => {
  const forwarder = new Forwarder();
  const id = await forwarder.connect(80);
  const { input } = forwarder.streams(id);
  await input.close();
  await input.close();
  await expect(input.write(1, async () => {})).rejects.toThrow("is closed");
  forwarder.close(id);
  forwarder.close(id);
  expect(done).toEqual(["connect 127.0.0.1 80", `shutdown 7 ${SHUT.WR}`, "cancel 7", "close 7"]);
  expect(() => forwarder.streams(id)).toThrow('no connection "1"');
});

test("who listens at the IPv6 address alone is reached; where nobody does, that is said", async () => {
  refusals = { "127.0.0.1": "ECONNREFUSED" };
  const forwarder = new Forwarder();
  await forwarder.connect(8080);
  expect(done).toEqual(["connect ::1 8080"]);
  refusals = { "127.0.0.1": "ECONNREFUSED", "::1": "EADDRNOTAVAIL" };
  await expect(forwarder.connect(8080)).rejects.toThrow("nobody listens at port 8080");
  refusals = { "127.0.0.1": "EMFILE" };
  await expect(forwarder.connect(8080)).rejects.toThrow("EMFILE");
});

test("ports that are none, and more connections than anybody needs, are refused", async () => {
  const forwarder = new Forwarder();
  for (const port of [0, 65536]) await expect(forwarder.connect(port)).rejects.toThrow("1 to 65535");
  const ids = [];
  for (let count = 0; count < 256; count++) ids.push(await forwarder.connect(1));
  await expect(forwarder.connect(1)).rejects.toThrow("256 connections are open");
  forwarder.close(ids[0] ?? "");
  await forwarder.connect(1);
});
