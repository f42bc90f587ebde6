import fs from "node:fs";
import os from "node:os";
import { Fd, KataError, LOCK, O, type Ops, ops, setOps } from "@kata-containers/sys";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { nodeFiles } from "../testing/node-files.ts";
import { type OpenTemplate, TemplateDirectory } from "./template-directory.ts";
import type { TemplateDescription } from "./template-record.ts";

const [KEY, OTHER, THIRD] = ["0123456789abcdef", "fedcba9876543210", "00000000000000aa"] as const;
const PATIENCE_MS = 5000;
let dir = "";
let directory: TemplateDirectory;
let bootId = "boot-1";
/** Of the host's clock. */
let nowMs = 0;

beforeEach(() => {
  bootId = "boot-1";
  useOps();
  dir = fs.mkdtempSync(`${os.tmpdir()}/templates-`);
  directory = new TemplateDirectory(dir);
});
afterEach(() => {
  vi.useRealTimers();
  expect(openFiles().filter((path) => path.startsWith(dir))).toEqual([]);
  setOps(undefined);
  fs.rmSync(dir, { recursive: true });
});

function useOps(more: Partial<Ops> = {}): void {
  setOps(
    nodeFiles({
      monotonicMs: () => Date.now(),
      realtimeMs: () => nowMs,
      readFile: (path) =>
        new Uint8Array(path.endsWith("/boot_id") ? Buffer.from(`${bootId}\n`) : fs.readFileSync(path)),
      ...more,
    }),
  );
}

function openFiles(): string[] {
  const links = fs.readdirSync("/proc/self/fd").map((fd) => `/proc/self/fd/${fd}`);
  return links.filter((link) => fs.existsSync(link)).map((link) => fs.readlinkSync(link));
}

const description = (files: Readonly<Record<string, string>> = {}): TemplateDescription => ({
  files,
  vcpus: 1,
  memoryMiB: 256,
  createdMs: 5,
});

/** Writes its name into both files. */
function writer(name: string, files: Readonly<Record<string, string>> = {}) {
  return vi.fn(async (memory: Fd, state: Fd) => {
    fs.writeSync(memory.number, `memory ${name}`);
    await Promise.resolve();
    fs.writeSync(state.number, `state ${name}`);
    return description(files);
  });
}

async function make(key: string, name: string, files: Readonly<Record<string, string>> = {}): Promise<void> {
  using _ = await directory.openOrMake(key, writer(name, files), PATIENCE_MS);
}

const contentOf = ({ memory, state }: OpenTemplate): string[] => [memory, state].map(textOf);

function textOf({ number }: Fd): string {
  const bytes = new Uint8Array(64);
  return new TextDecoder().decode(bytes.subarray(0, fs.readSync(number, bytes, 0, 64, 0)));
}

function content(key: string): string[] | undefined {
  using template = directory.open(key);
  return template && contentOf(template);
}

/** Held by somebody else. */
function lock(): Fd {
  const fd = new Fd(ops.open(`${dir}/lock`, O.RDWR | O.CREAT, 0o600));
  ops.flock(fd.number, LOCK.EX);
  return fd;
}

/** A directory as a process leaves it that was killed. */
function leave(name: string): void {
  fs.mkdirSync(`${dir}/${name}`);
  fs.writeFileSync(`${dir}/${name}/memory`, "half");
}

test("of ten that want a template at once one makes it, and all get it", async () => {
  const write = writer("a");
  const all = await Promise.all(
    Array.from({ length: 10 }, () => directory.openOrMake(KEY, write, PATIENCE_MS)),
  );
  expect(write).toHaveBeenCalledOnce();
  for (using template of all) expect(contentOf(template)).toEqual(["memory a", "state a"]);
  expect(directory.list()).toEqual(new Map([[KEY, expect.objectContaining(description())]]));
  expect(fs.readdirSync(dir).sort()).toEqual([KEY, "lock"]);
});

test("a maker that fails leaves nothing; after a minute the next one tries again", async () => {
  const fails = directory.openOrMake(
    KEY,
    async (memory) => {
      fs.writeSync(memory.number, "half");
      throw new Error("QEMU ended");
    },
    PATIENCE_MS,
  );
  await expect(fails).rejects.toThrow(`cannot make a template in ${dir}: QEMU ended`);
  expect(fs.readdirSync(dir).sort()).toEqual(["failure.json", "lock"]);
  await expect(directory.openOrMake(KEY, writer("b"), PATIENCE_MS)).rejects.toThrow("QEMU ended");
  nowMs += 60_001;
  using template = await directory.openOrMake(KEY, writer("b"), PATIENCE_MS);
  expect(fs.readdirSync(dir).sort()).toEqual([KEY, "lock"]);
  expect(contentOf(template)).toEqual(["memory b", "state b"]);
});

test("what a killed process left is in nobody's way, and goes", async () => {
  for (const name of ["unfinished", "doomed"]) leave(name);
  await make(KEY, "a");
  expect(fs.readdirSync(dir).sort()).toEqual([KEY, "lock"]);
  leave("doomed");
  await directory.destroy(PATIENCE_MS);
  expect(fs.readdirSync(dir)).toEqual(["lock"]);
});

test("what has a template's name and is none is replaced", async () => {
  fs.mkdirSync(`${dir}/${KEY}`);
  fs.writeFileSync(`${dir}/${KEY}/memory`, "without its state");
  await make(KEY, "a");
  expect(content(KEY)).toEqual(["memory a", "state a"]);
  fs.writeFileSync(`${dir}/${OTHER}`, "a file");
  await make(OTHER, "b");
  expect(content(OTHER)).toEqual(["memory b", "state b"]);
});

test("what others could write to is no template, also when the directory is ours alone by now", async () => {
  await make(KEY, "theirs");
  fs.chmodSync(`${dir}/${KEY}`, 0o777);
  await make(KEY, "ours");
  expect(content(KEY)).toEqual(["memory ours", "state ours"]);
});

test("memory and state are of one template, also when another one takes its place meanwhile", async () => {
  await make(KEY, "old");
  await make(OTHER, "new");
  useOps({
    openat2: (parent, name, { flags }) => {
      if (name === "state" && !fs.existsSync(`${dir}/doomed`)) {
        fs.renameSync(`${dir}/${KEY}`, `${dir}/doomed`);
        fs.renameSync(`${dir}/${OTHER}`, `${dir}/${KEY}`);
      }
      return fs.openSync(`/proc/self/fd/${parent}/${name}`, flags & ~O.CLOEXEC);
    },
  });
  expect(content(KEY)).toEqual(["memory old", "state old"]);
  expect(content(KEY)).toEqual(["memory new", "state new"]);
});

test("a template goes when a file that it was made from is another one for the new one", async () => {
  await make(KEY, "a", { "/kernel": "1", "/initrd": "1" });
  await make(OTHER, "b", { "/other-kernel": "1" });
  await make(THIRD, "c", { "/kernel": "2", "/initrd": "1" });
  expect([...directory.list().keys()].sort()).toEqual([THIRD, OTHER]);
});

test("a template of another boot goes when a new one is made", async () => {
  await make(KEY, "a", { "/kernel": "1" });
  bootId = "boot-2";
  await make(OTHER, "b", { "/kernel": "1" });
  expect([...directory.list().keys()]).toEqual([OTHER]);
});

test("a new one can be had although there is one, which stays when that fails", async () => {
  await make(KEY, "a");
  await directory.make(KEY, writer("b"), PATIENCE_MS);
  expect(content(KEY)).toEqual(["memory b", "state b"]);
  const write = vi.fn().mockRejectedValue(new Error("QEMU ended"));
  await expect(directory.make(KEY, write, PATIENCE_MS)).rejects.toThrow("QEMU ended");
  expect(content(KEY)).toEqual(["memory b", "state b"]);
});

test("one that is discarded goes, and neither another one of its key nor of another", async () => {
  await make(OTHER, "b");
  using first = await directory.openOrMake(KEY, writer("a"), PATIENCE_MS);
  await directory.make(KEY, writer("c"), PATIENCE_MS);
  await directory.discard(KEY, first);
  expect(content(KEY)).toEqual(["memory c", "state c"]);
  using second = await directory.openOrMake(KEY, writer("d"), PATIENCE_MS);
  await directory.discard(KEY, second);
  expect([content(KEY), content(OTHER)]).toEqual([undefined, ["memory b", "state b"]]);
  await directory.discard(KEY, second);
});

test("those who waited for one that could not be made do not try in turn, unless it was given up", async () => {
  const write = vi.fn().mockRejectedValue(new Error("QEMU ended"));
  const waiting = [1, 2, 3].map(() => directory.openOrMake(KEY, write, PATIENCE_MS));
  for (const each of await Promise.allSettled(waiting))
    expect(String((each as PromiseRejectedResult).reason)).toContain("QEMU ended");
  expect(write).toHaveBeenCalledTimes(1);
  const given = vi.fn().mockRejectedValueOnce(new KataError("Canceled", "nobody waits"));
  const first = expect(directory.openOrMake(OTHER, given, PATIENCE_MS)).rejects.toThrow("nobody waits");
  using second = await directory.openOrMake(OTHER, writer("b"), PATIENCE_MS);
  await first;
  expect(contentOf(second)).toEqual(["memory b", "state b"]);
});

test("all are removed, and who has one open still reads it", async () => {
  using template = await directory.openOrMake(KEY, writer("a"), PATIENCE_MS);
  await make(OTHER, "b");
  fs.writeFileSync(`${dir}/${OTHER}/template.json`, "{");
  leave("unfinished");
  fs.writeFileSync(`${dir}/mine`, "");
  await directory.destroy(PATIENCE_MS);
  expect(fs.readdirSync(dir).sort()).toEqual(["lock", "mine"]);
  expect(contentOf(template)).toEqual(["memory a", "state a"]);
});

test("without a directory there is nothing to list or to remove", async () => {
  directory = new TemplateDirectory(`${dir}/none`);
  await directory.destroy(PATIENCE_MS);
  expect([...directory.list(), ...fs.readdirSync(dir)]).toEqual([]);
});

test("nothing outside is removed: a symbolic link is not followed", async () => {
  const outside = fs.mkdtempSync(`${os.tmpdir()}/outside-`);
  fs.writeFileSync(`${outside}/file`, "");
  for (const name of ["doomed", "unfinished", KEY]) fs.symlinkSync(outside, `${dir}/${name}`);
  await directory.destroy(PATIENCE_MS);
  expect(fs.readdirSync(dir)).toEqual(["lock"]);
  expect(fs.readdirSync(outside)).toEqual(["file"]);
  fs.rmSync(outside, { recursive: true });
});

test.each(["{", "null", "[]", '{"files":null}', '{"files":{"/kernel":1}}'])(
  "a template that says %s of itself is not listed, harms no other one, and can be copied",
  async (text) => {
    await make(KEY, "a", { "/kernel": "1" });
    fs.writeFileSync(`${dir}/${KEY}/template.json`, text);
    expect([...directory.list()]).toEqual([]);
    await make(OTHER, "b", { "/kernel": "2" });
    expect([content(KEY), content(OTHER)].map((each) => each?.[0])).toEqual(["memory a", "memory b"]);
  },
);

test("who waits for the lock too long is told where it is held", async () => {
  vi.useFakeTimers();
  using _ = lock();
  const write = writer("a");
  const waiting = directory.openOrMake(KEY, write, PATIENCE_MS);
  const outcome = expect(waiting).rejects.toMatchObject({
    code: "DeadlineExceeded",
    message: `template_path ${dir}: another process has held the lock for 5 s`,
  });
  await vi.advanceTimersByTimeAsync(PATIENCE_MS + 100);
  await outcome;
  expect(write).not.toHaveBeenCalled();
});

test("a template that is there is had without the lock", async () => {
  await make(KEY, "a");
  using _ = lock();
  using template = await directory.openOrMake(KEY, writer("b"), 0);
  expect(contentOf(template)).toEqual(["memory a", "state a"]);
});

test("a directory that is missing is made, for its owner alone", () => {
  const path = `${dir}/a/b`;
  expect(() => new TemplateDirectory(path).check()).toThrow(`template_path ${path}: open ${path}: ENOENT`);
  new TemplateDirectory(path).prepare();
  expect(fs.statSync(path).mode & 0o7777).toBe(0o700);
});

test("a directory that others could write to is refused", () => {
  directory.prepare();
  fs.chmodSync(dir, 0o777);
  const refused = (why: string) => ({
    code: "PermissionDenied",
    message: `template_path ${dir}: ${why}: others could write to it (chown root, chmod 700)`,
  });
  const user = process.geteuid?.();
  expect(() => directory.prepare()).toThrow(
    expect.objectContaining(refused(`belongs to user ${user} and has mode 777`)),
  );
  fs.chmodSync(dir, 0o755);
  directory.check();
  useOps({ geteuid: () => 4711 });
  expect(() => directory.check()).toThrow(
    expect.objectContaining(refused(`belongs to user ${user} and has mode 755`)),
  );
});

test.each([
  ["a file", (path: string) => fs.writeFileSync(path, "")],
  ["a symbolic link to a directory", (path: string) => fs.symlinkSync(os.tmpdir(), path)],
  ["a symbolic link to nothing", (path: string) => fs.symlinkSync("none", path)],
])("%s is refused: it is no directory", (_, put) => {
  const path = `${dir}/templates`;
  put(path);
  const refused = { code: "FailedPrecondition", message: `template_path ${path}: is no directory` };
  expect(() => new TemplateDirectory(path).prepare()).toThrow(expect.objectContaining(refused));
});
