import fs from "node:fs";
import os from "node:os";
import { type KataConfig, parseConfig } from "@kata-containers/config";
import { type Ops, setOps } from "@kata-containers/sys";
import { afterEach, beforeEach, expect, test } from "vitest";
import { nodeFiles } from "../testing/node-files.ts";
import { templateFiles } from "./template.ts";
import { currentTemplateKey } from "./template-plan.ts";
import { templateStatus } from "./template-status.ts";

let dir = "";
let bootId = "boot-1";

beforeEach(() => {
  bootId = "boot-1";
  setOps(nodeFiles(host));
  dir = fs.mkdtempSync(`${os.tmpdir()}/template-status-`);
  for (const name of ["qemu", "kernel", "initrd"]) fs.writeFileSync(`${dir}/${name}`, name);
});
afterEach(() => {
  setOps(undefined);
  fs.rmSync(dir, { recursive: true });
});

const host: Partial<Ops> = {
  readFile: (path) =>
    new Uint8Array(path.endsWith("/boot_id") ? Buffer.from(`${bootId}\n`) : fs.readFileSync(path)),
  cpuCount: () => 4,
  geteuid: () => process.geteuid?.() ?? 0,
  fstat: (fd) => ({ ...fs.fstatSync(fd), ctimeMs: 0 }),
};

const config = (more = ""): KataConfig =>
  parseConfig(
    `[hypervisor.qemu]\npath = "${dir}/qemu"\nkernel = "${dir}/kernel"\ninitrd = "${dir}/initrd"\n` +
      `accelerator = "tcg"\n${more}\n[factory]\nenable_template = true\ntemplate_path = "${dir}/templates"\n`,
    "/c.toml",
  );

/** Puts a template there, as one that was made from this configuration. */
function put(key: string, from: KataConfig, createdMs: number): void {
  const place = `${dir}/templates/${key}`;
  fs.mkdirSync(place, { recursive: true, mode: 0o700 });
  const record = { files: templateFiles(from, ""), bootId, vcpus: 1, memoryMiB: 256, createdMs };
  fs.writeFileSync(`${place}/template.json`, JSON.stringify(record));
  fs.writeFileSync(`${place}/state`, "x".repeat(5000));
  fs.writeFileSync(`${place}/memory`, "");
  fs.truncateSync(`${place}/memory`, 2 ** 20);
}

const states = () => templateStatus(config()).map(({ key, state }) => `${key} ${state}`);

test("without a directory, and in an empty one, there is none", () => {
  expect(templateStatus(config())).toEqual([]);
  fs.mkdirSync(`${dir}/templates`, { mode: 0o700 });
  expect(templateStatus(config())).toEqual([]);
});

test("the current one comes first, then those of other settings, the newest first", () => {
  const [own, other] = [config(), config("default_memory = 512")];
  const [key, otherKey] = [own, other].map(currentTemplateKey);
  put(otherKey ?? "", other, 1);
  put("00000000000000aa", other, 2);
  put(key ?? "", own, 0);
  expect(states()).toEqual([`${key} current`, "00000000000000aa other", `${otherKey} other`]);
  const [status] = templateStatus(own);
  expect(status).toMatchObject({ vcpus: 1, memoryMiB: 256, createdMs: 0 });
  // The hole in its memory is not there.
  expect(status?.bytesOnDisk).toBeGreaterThanOrEqual(5000);
  expect(status?.bytesOnDisk).toBeLessThan(2 ** 20);
});

test("one is stale when a file that it was made from is another one, or gone", () => {
  const key = currentTemplateKey(config());
  put(key, config(), 1);
  fs.writeFileSync(`${dir}/initrd`, "a new initrd");
  expect(states()).toEqual([`${key} stale`]);
  put("00000000000000aa", { ...config(), hypervisor: { ...config().hypervisor, initrd: `${dir}/qemu` } }, 0);
  expect(states()).toEqual(["00000000000000aa other", `${key} stale`]);
});

test("one is stale when the host was booted since", () => {
  const key = currentTemplateKey(config());
  put(key, config(), 1);
  bootId = "boot-2";
  expect(states()).toEqual([`${key} stale`]);
});

test("what is no template is not told of", () => {
  put("lost+found", config(), 1);
  fs.mkdirSync(`${dir}/templates/00000000000000bb`);
  expect(states()).toEqual([]);
});

test("a directory that others could write to, or that is none, is refused", () => {
  fs.mkdirSync(`${dir}/templates`);
  fs.chmodSync(`${dir}/templates`, 0o770);
  expect(states).toThrow(
    /^template_path .*\/templates: belongs to user \d+ and has mode 770: others could write/,
  );
  fs.rmdirSync(`${dir}/templates`);
  fs.symlinkSync(os.tmpdir(), `${dir}/templates`);
  expect(states).toThrow("/templates: is no directory");
});

test("a missing file that a template would be made from is named", () => {
  fs.mkdirSync(`${dir}/templates`, { mode: 0o700 });
  fs.rmSync(`${dir}/kernel`);
  expect(states).toThrow(`cannot look at what a template is made from: stat ${dir}/kernel: ENOENT`);
});
