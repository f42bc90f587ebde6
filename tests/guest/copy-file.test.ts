import { lstatSync, mkdirSync, readdirSync, readFileSync, readlinkSync, symlinkSync } from "node:fs";
import { join } from "node:path";
import { AgentService, type CopyFileRequest } from "@kata-containers/protocols";
import type { Client } from "@kata-containers/ttrpc";
import { afterAll, beforeAll, expect, test } from "vitest";
import { Guest } from "./guest.ts";

const A = AgentService;
const SHARED = "/run/kata-containers/shared/containers";
const FILE = 0o100000;
const DIRECTORY = 0o040000;
const LINK = 0o120000;
let guest: Guest;
let client: Client;

beforeAll(async () => {
  guest = new Guest();
  client = await guest.connect();
  const mountPoint = `${SHARED}/`;
  const storages = [{ driver: "virtio-fs", source: "kataShared", fstype: "virtiofs", mountPoint }];
  await client.unary(A.CreateSandbox, { hostname: "box", sandboxId: "sandbox", storages });
});
afterAll(() => guest[Symbol.asyncDispose]());

const copy = (path: string, text: string, more: Partial<CopyFileRequest> = {}) =>
  client.unary(A.CopyFile, {
    path: `${SHARED}/${path}`,
    data: Buffer.from(text),
    fileSize: text.length,
    fileMode: FILE | 0o640,
    dirMode: 0o750,
    ...more,
  });

test("a file comes with its mode and owner, and its directories are made", async () => {
  await copy("a/b/file", "hello", { uid: 1000, gid: 2000 });
  const path = join(guest.shared, "a/b/file");
  expect(readFileSync(path, "utf8")).toBe("hello");
  const { mode, uid, gid } = lstatSync(path);
  expect([mode & 0o7777, uid, gid]).toEqual([0o640, 1000, 2000]);
  expect(lstatSync(join(guest.shared, "a/b")).mode & 0o777).toBe(0o750);
});

test("a file in chunks appears with the last one, and replaces an older one", async () => {
  await copy("chunks/file", "old");
  const at = (offset: number, text: string) => copy("chunks/file", text, { offset, fileSize: 6 });
  await at(0, "ab");
  await at(2, "cd");
  expect(readFileSync(join(guest.shared, "chunks/file"), "utf8")).toBe("old");
  await expect(at(2, "xx")).rejects.toMatchObject({ code: "FailedPrecondition" });
  await at(4, "ef");
  expect(readFileSync(join(guest.shared, "chunks/file"), "utf8")).toBe("abcdef");
  expect(readdirSync(join(guest.shared, "chunks"))).toEqual(["file"]);
});

test("directories and symbolic links are made as such", async () => {
  await copy("dir", "", { fileMode: DIRECTORY | 0o711 });
  expect(lstatSync(join(guest.shared, "dir")).mode & 0o7777).toBe(0o711);
  await copy("dir/link", "/etc/passwd", { fileMode: LINK | 0o777 });
  await copy("dir/link", "other", { fileMode: LINK | 0o777 });
  expect(readlinkSync(join(guest.shared, "dir/link"))).toBe("other");
});

test("nothing is written through a symbolic link, or outside of the share", async () => {
  mkdirSync(join(guest.shared, "trap"));
  symlinkSync("/", join(guest.shared, "trap/root"));
  symlinkSync("/init", join(guest.shared, "trap/file.tmp"));
  const invalid = { code: "InvalidArgument" };
  await expect(copy("trap/root/owned", "x")).rejects.toMatchObject(invalid);
  await expect(copy("trap/file", "x")).rejects.toMatchObject(invalid);
  for (const path of ["../../sandbox/x", "a/../../x", "", "/"])
    await expect(copy(path, "x"), path).rejects.toMatchObject(invalid);
  const elsewhere = { path: "/run/kata-containers/sandbox/resolv.conf" };
  await expect(copy("", "x", elsewhere)).rejects.toMatchObject(invalid);
});

test.each<[string, Partial<CopyFileRequest>]>([
  ["a chunk past the end", { offset: 3, fileSize: 3 }],
  ["a negative offset", { offset: -1 }],
  ["a negative owner", { uid: -1 }],
  ["a device", { fileMode: 0o020600 }],
  ["a link without a target", { fileMode: LINK, data: new Uint8Array() }],
])("%s is refused", async (_, more) => {
  await expect(copy("bad/file", "x", more)).rejects.toMatchObject({ code: "InvalidArgument" });
});
