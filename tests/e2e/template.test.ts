import { execFileSync } from "node:child_process";
import { chmodSync, chownSync, copyFileSync, mkdirSync, renameSync, truncateSync } from "node:fs";
import { availableParallelism, release } from "node:os";
import { createInterface } from "node:readline";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { BundleOptions } from "../harness/bundle.ts";
import { cellConfiguration } from "../harness/cells.ts";
import { cells } from "../harness/matrix.mjs";
import { TestNetwork } from "../harness/network.ts";
import { eventually, statusOf } from "../harness/process.ts";
import { testConfiguration } from "../harness/programs.ts";
import { rootFileSystemCases } from "../harness/root-file-system-cases.ts";
import { exitOf, useRuntime } from "../harness/runtime.ts";
import { sandboxProcesses } from "../harness/sandbox-processes.ts";
import { copyTemplates, SAID, saidBy, templatesIn, templateWarnings } from "../harness/templates.ts";
import { expectNoTwins } from "../harness/twins.ts";

const COPIES = 12;
/** As many as are started at once while there is no template. */
const RACING = 10;
/** What a copy's clock may be wrong by, unless its daemon says that the machine was too busy. */
const CLOCK_MS = 10;

const runtime = useRuntime();
let directories = 0;

/** A directory that is not there yet. */
const newDirectory = () => runtime.scratch.join(`templates-${directories++}`);
/** That of all tests that need nothing but some template. */
const shared = newDirectory();

/** What was warned of since the test began. */
let warningsBefore = 0;
const warnings = () => templateWarnings(runtime).slice(warningsBefore);

beforeEach(() => {
  warningsBefore = templateWarnings(runtime).length;
  copyTemplates(runtime, shared);
});

const sh = (id: string, script: string) => runtime.ok(["exec", id, "sh", "-c", script]);
const said = (id: string, what: string) => saidBy(runtime, id).filter((line) => line.includes(what));

/** Starts a container that sleeps; its VM is a copy, and whoever started it was told of nothing. */
async function startCopy(options: BundleOptions = {}): Promise<string> {
  const id = await runtime.start(options);
  expect(said(id, SAID.copied)).toHaveLength(1);
  expect(warnings()).toEqual([]);
  return id;
}

/** A whole life of a container that says something; whatever its VM is. */
async function expectToRun(): Promise<void> {
  const bundle = runtime.bundle({ args: ["sh", "-c", "echo out; echo err >&2; exit 7"] });
  const ended = await runtime.kata(["run", "--bundle", bundle, runtime.newId()]);
  expect(ended).toEqual({ status: 7, stdout: "out\n", stderr: "err\n" });
}

describe.each(cells.filter(({ factory }) => factory === "none"))("a copy of a template of $name", (cell) => {
  it("runs a container under a kernel of its own; the first start makes the one template, a second makes no other", async () => {
    const directory = newDirectory();
    copyTemplates(runtime, directory, cellConfiguration(cell));
    await expectToRun();
    const made = templatesIn(directory);
    expect(made).toEqual([expect.stringMatching(/^[0-9a-f]{16}$/)]);
    const id = await startCopy();
    expect(said(id, SAID.made)).toEqual([]);
    expect(templatesIn(directory)).toEqual(made);
    expect((await sh(id, "uname -r")).trim()).not.toBe(release());
  });
});

describe("copies of one template", () => {
  it(`are nobody's twins: no two of ${COPIES} have randomness, addresses or names in common`, async () => {
    await expectNoTwins(runtime, COPIES);
  });

  it("have the host's time, not their template's", async () => {
    const id = await startCopy();
    const { offsetMs, errorMs } = await clockOf(id);
    console.log(`clock of a copy: ${offsetMs.toFixed(1)} ms, to ${errorMs.toFixed(1)} ms`);
    const [warned] = said(id, "the guest's clock may be");
    const lateMs = warned === undefined ? CLOCK_MS : Number(/may be (\d+) ms late/.exec(warned)?.[1]);
    expect(Math.abs(offsetMs)).toBeLessThanOrEqual(lateMs + errorMs);
  });

  it("have what their containers' limits ask for beyond the template's size", async () => {
    const [plain, large] = [await startCopy(), await startCopy(limits(200_000, 512))];
    expect(said(plain, SAID.grown)).toEqual([]);
    expect(said(large, SAID.grown)).toHaveLength(1);
    const [before, after] = [await sizeIn(plain), await sizeIn(large)];
    const { default_vcpus } = testConfiguration().hypervisor;
    expect(after.cpus).toBe(Math.min(default_vcpus + 2, availableParallelism()));
    // The guest's kernel keeps up to a tenth for its own tables.
    expect(after.memoryMiB - before.memoryMiB).toBeGreaterThan(512 * 0.9);
    expect(after.memoryMiB - before.memoryMiB).toBeLessThanOrEqual(512);
  });

  it("are none of a VM that could not grow: it boots, and the log says why", async () => {
    copyTemplates(runtime, shared, { "hypervisor.qemu": { memory_slots: 0 } });
    const id = await runtime.start(limits(-1, 512));
    const { default_memory } = testConfiguration().hypervisor;
    expect(said(id, SAID.booted)).toEqual([
      expect.stringContaining(
        `reason="it is to have ${default_memory + 512} MiB, the template has ${default_memory}, and memory_slots is 0"`,
      ),
    ]);
    expect(said(id, SAID.copied)).toEqual([]);
    expect(warnings()).toEqual([]);
    expect((await sizeIn(id)).memoryMiB).toBeGreaterThan(default_memory + 512 * 0.8);
  });
});

describe("the root file system of a copy", () => {
  afterEach(() => expect(warnings()).toEqual([]));
  rootFileSystemCases(runtime);
});

describe("a copy with two networks", () => {
  let network: TestNetwork;
  beforeEach(async () => {
    network = await TestNetwork.open();
  });
  afterEach(() => network.close());

  it("has both cards as they are on the host, and reaches through each", async () => {
    network.connect("eth0", 61, 1400);
    network.connect("net1", 62);
    await network.settled();
    const id = await startCopy({
      edit: (config) => {
        for (const each of config.linux.namespaces)
          if (each.type === "network") each.path = network.inside.path;
      },
    });
    for (const [name, number, mtu] of [
      ["eth0", 61, 1400],
      ["net1", 62, 1500],
    ] as const) {
      const [inGuest, onHost] = [
        await sh(id, `ip address show ${name}`),
        network.inside.run("ip", "address", "show", name),
      ];
      const addresses = (text: string) =>
        [...text.matchAll(/(?:inet6?|link\/ether) (\S+)/g)].map(([, address]) => address).sort();
      expect(addresses(inGuest)).toEqual(addresses(onHost));
      expect(inGuest).toContain(`mtu ${mtu}`);
      for (const address of [`10.${number}.0.1`, `fd${number}::1`])
        expect(await sh(id, `ping -c 1 -W 5 ${address}`)).toContain("1 packets received");
    }
  });
});

describe("a template", () => {
  it(`is made once by ${RACING} starts at once, and all are copies of it`, async () => {
    const directory = newDirectory();
    copyTemplates(runtime, directory);
    const bundle = runtime.bundle({ args: ["sleep", "1000"] });
    const ids = Array.from({ length: RACING }, () => runtime.newId());
    const runs = ids.map((id) =>
      runtime.spawn(["run", "--detach", "--bundle", bundle, id], { stdio: ["ignore", "ignore", "ignore"] }),
    );
    expect(await Promise.all(runs.map(statusOf))).toEqual(runs.map(() => 0));
    expect(warnings()).toEqual([]);
    expect(ids.flatMap((id) => said(id, SAID.made))).toHaveLength(1);
    for (const id of ids) expect(said(id, SAID.copied)).toHaveLength(1);
    expect(templatesIn(directory)).toHaveLength(1);
  });

  it("whose maker was killed half-way is made by the next start, and nothing is left of the first", async () => {
    const directory = newDirectory();
    copyTemplates(runtime, directory);
    const child = runtime.spawn(["create", "--bundle", runtime.bundle(), runtime.newId()], {
      stdio: ["ignore", "ignore", "pipe"],
    });
    const ended = exitOf(child);
    await eventually("a template that is being made", () =>
      templatesIn(directory).includes("unfinished") ? true : undefined,
    );
    process.kill(sandboxProcesses(runtime.traces()).get("containerd-shim-kata-v2") ?? Number.NaN, "SIGKILL");
    expect((await ended).status).toBe(1);
    expect(templatesIn(directory)).toEqual(["unfinished"]);
    const id = await startCopy();
    expect(said(id, SAID.made)).toHaveLength(1);
    expect(templatesIn(directory)).toEqual([expect.stringMatching(/^[0-9a-f]{16}$/)]);
  });

  it("of a kernel that is another one now goes, and the next start makes one of the new kernel", async () => {
    const [directory, kernel] = [newDirectory(), runtime.scratch.join("kernel")];
    copyFileSync(testConfiguration().hypervisor.kernel, kernel);
    copyTemplates(runtime, directory, { "hypervisor.qemu": { kernel } });
    await startCopy();
    const [first] = templatesIn(directory);
    copyFileSync(kernel, `${kernel}.new`);
    renameSync(`${kernel}.new`, kernel);
    expect(said(await startCopy(), SAID.made)).toHaveLength(1);
    const second = templatesIn(directory);
    expect(second).toHaveLength(1);
    expect(second).not.toEqual([first]);
  });

  it.each([
    ["state", 1000],
    ["memory", 0],
  ])(
    "whose %s has been cut to %i bytes is not copied: the VM boots with one warning, and the next start makes another",
    async (file, bytes) => {
      const directory = newDirectory();
      copyTemplates(runtime, directory);
      await expectToRun();
      const [key = ""] = templatesIn(directory);
      truncateSync(`${directory}/${key}/${file}`, bytes);
      await expectToRun();
      expect(warnings()).toEqual([
        expect.stringContaining("the VM boots, it cannot be a copy of the template: "),
      ]);
      warningsBefore++;
      const id = await startCopy();
      expect(said(id, SAID.made)).toHaveLength(1);
      expect(templatesIn(directory)).toEqual([key]);
    },
  );
});

describe("kata-runtime factory", () => {
  it("makes the template ahead, tells of it, and takes it away while copies run: they go on, and the next start makes another", async () => {
    const directory = newDirectory();
    copyTemplates(runtime, directory);
    const status = async () => JSON.parse(await runtime.ok(["factory", "status", "--format", "json"]));
    expect(await status()).toMatchObject({ enabled: true, on: false, templates: [] });
    await runtime.ok(["factory", "init"]);
    const [key] = templatesIn(directory);
    expect(await status()).toMatchObject({ on: true, templates: [{ key, state: "current" }] });
    const copies = [await startCopy(), await startCopy()];
    for (const id of copies) expect(said(id, SAID.made)).toEqual([]);

    await runtime.ok(["factory", "destroy"]);
    expect(templatesIn(directory)).toEqual([]);
    expect(await status()).toMatchObject({ on: false, templates: [] });
    // New processes, and memory that the guest has not touched before.
    for (const id of copies)
      expect(await sh(id, "head -c 32m /dev/zero > /dev/shm/new; wc -c < /dev/shm/new")).toBe("33554432\n");
    expect(said(await startCopy(), SAID.made)).toHaveLength(1);
    expect(templatesIn(directory)).toEqual([key]);
  });
});

describe("a directory of templates", () => {
  it("that is not there is made, and is root's alone", async () => {
    const directory = `${newDirectory()}/a/b`;
    copyTemplates(runtime, directory);
    await startCopy();
    expect(execFileSync("stat", ["-c", "%u:%g:%a", directory], { encoding: "utf8" })).toBe("0:0:700\n");
  });

  const mounted: string[] = [];
  afterEach(() => {
    for (const path of mounted.splice(0)) execFileSync("umount", [path]);
  });

  it.each<[string, (directory: string) => void]>([
    [
      "is full",
      (directory) => {
        execFileSync("mount", ["-t", "tmpfs", "-o", "size=8m,mode=700", "tmpfs", directory]);
        mounted.push(directory);
      },
    ],
    ["all may write to", (directory) => chmodSync(directory, 0o777)],
    ["belongs to somebody else", (directory) => chownSync(directory, 1000, 1000)],
  ])("that %s has no template: the VM boots with one warning", async (_, spoil) => {
    const directory = newDirectory();
    mkdirSync(directory, { mode: 0o700 });
    spoil(directory);
    copyTemplates(runtime, directory);
    await expectToRun();
    expect(warnings()).toEqual([expect.stringContaining(directory)]);
    expect(templatesIn(directory)).toEqual([]);
  });
});

const limits = (quota: number, memoryMiB: number): BundleOptions => ({
  edit: (config) => {
    Object.assign(config.linux.resources, {
      cpu: { quota, period: 100_000 },
      memory: { limit: memoryMiB * 2 ** 20 },
    });
  },
});

/** What a container sees of its VM. */
async function sizeIn(id: string): Promise<{ readonly cpus: number; readonly memoryMiB: number }> {
  const [cpus, , kb] = (await sh(id, "nproc; grep MemTotal /proc/meminfo")).split(/\s+/);
  return { cpus: Number(cpus), memoryMiB: Number(kb) / 1024 };
}

/** How far the guest's clock is ahead of the host's: within half of the shortest of some round trips. */
async function clockOf(id: string): Promise<{ offsetMs: number; errorMs: number }> {
  // Of the shell's own: busybox' date has no fractions of a second, and to start a program takes some milliseconds.
  const script = "while read line; do echo $EPOCHREALTIME; done";
  const child = runtime.spawn(["exec", id, "sh", "-c", script], { stdio: ["pipe", "pipe", "ignore"] });
  if (child.stdin === null || child.stdout === null) throw new Error("no pipes");
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  const looks: { offsetMs: number; errorMs: number }[] = [];
  for (let look = 0; look < 20; look++) {
    const [before, begun] = [Date.now(), performance.now()];
    child.stdin.write("\n");
    const guestMs = Number((await lines.next()).value) * 1000;
    const halfMs = (performance.now() - begun) / 2;
    // A whole millisecond is what Date.now tells.
    looks.push({ offsetMs: guestMs - before - 0.5 - halfMs, errorMs: halfMs + 0.5 });
  }
  child.stdin.end();
  expect(await statusOf(child)).toBe(0);
  const [best] = looks.toSorted((a, b) => a.errorMs - b.errorMs);
  if (best === undefined) throw new Error("no look");
  return best;
}
