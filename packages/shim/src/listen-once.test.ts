import { ops, setOps } from "@kata-containers/sys";
import { afterEach, beforeEach, expect, test } from "vitest";
import { listenOnce } from "./listen-once.ts";
import { FakeSockets } from "./testing/fake-sockets.ts";

const PATH = "/run/test/a.sock";

let sockets: FakeSockets;
let mode: number | undefined;

beforeEach(() => {
  mode = undefined;
  sockets = new FakeSockets(() => {});
});
afterEach(() => setOps(undefined));

const listen = () => listenOnce(PATH, "the socket", "is served already");

test("a socket that nobody serves any more is replaced", async () => {
  (await listen()).close();
  await listen();
  expect(sockets.isThere(PATH)).toBe(true);
});

test("one that is served is refused", async () => {
  await listen();
  await expect(listen()).rejects.toThrow(/^\/run\/test\/a.sock: is served already$/);
});

test("what is no socket is left alone", async () => {
  (await listen()).close();
  const { statIfThere } = ops;
  mode = 0o100644;
  setOps(
    Object.assign(Object.create(ops), {
      statIfThere: (path: string) => ({ ...statIfThere(path), ...(path === PATH ? { mode } : {}) }),
    }),
  );
  await expect(listen()).rejects.toThrow(/^\/run\/test\/a.sock: is there already, and is no socket$/);
  expect(sockets.isThere(PATH)).toBe(true);
});
