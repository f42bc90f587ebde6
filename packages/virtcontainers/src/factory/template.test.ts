import fs from "node:fs";
import os from "node:os";
import { parseConfig } from "@kata-containers/config";
import { setOps } from "@kata-containers/sys";
import { afterEach, beforeEach, expect, test } from "vitest";
import { nodeFiles } from "../testing/node-files.ts";
import {
  copyAnswerSeconds,
  makingSeconds,
  obstacleToCopy,
  templateFiles,
  templateParams,
} from "./template.ts";

let root = "";

beforeEach(() => {
  setOps(nodeFiles());
  root = fs.mkdtempSync(`${os.tmpdir()}/vmm-root-`);
});
afterEach(() => {
  setOps(undefined);
  fs.rmSync(root, { recursive: true });
});

const hypervisor = (keys: string) => parseConfig(`[hypervisor.qemu]\n${keys}`, "/c.toml");
const TEMPLATE = { vcpus: 1, memoryMiB: 256 };

test("a machine of any size can be a copy: it grows to it", () => {
  const config = hypervisor("");
  for (const size of [TEMPLATE, { vcpus: 8, memoryMiB: 4096 }])
    expect(obstacleToCopy(config, size, TEMPLATE)).toBeUndefined();
});

test("without slots for memory it cannot have more than the template", () => {
  const config = hypervisor("memory_slots = 0");
  expect(obstacleToCopy(config, { vcpus: 8, memoryMiB: 256 }, TEMPLATE)).toBeUndefined();
  expect(obstacleToCopy(config, { vcpus: 1, memoryMiB: 257 }, TEMPLATE)).toBe(
    "it is to have 257 MiB, the template has 256, and memory_slots is 0",
  );
});

test.each(["enable_hugepages", "enable_mem_prealloc"])("memory of %s cannot be a copy", (key) => {
  expect(obstacleToCopy(hypervisor(`${key} = true`), TEMPLATE, TEMPLATE)).toBe(
    `${key}: its memory cannot be a copy`,
  );
});

test("a template's agent loads the drivers that every copy needs: of its share, its cards and its root", () => {
  expect(templateParams(hypervisor(""))).toEqual(["agent.load_modules=virtiofs,virtio_net,overlay"]);
  expect(templateParams(hypervisor('shared_fs = "virtio-9p"'))).toEqual([
    "agent.load_modules=9pnet_virtio,9p,virtio_net,overlay",
  ]);
});

test("a template is made from files as the VMM sees them, firmware when there is some", () => {
  for (const name of ["qemu", "kernel", "initrd", "bios"]) fs.writeFileSync(`${root}/${name}`, name);
  const paths = 'path = "/qemu"\nkernel = "/kernel"\ninitrd = "/initrd"\n';
  const files = (keys: string) => Object.keys(templateFiles(hypervisor(keys), root));
  expect(files(paths)).toEqual(["/qemu", "/kernel", "/initrd"]);
  expect(files(`${paths}firmware = "/bios"`)).toEqual(["/qemu", "/kernel", "/initrd", "/bios"]);
  expect(() => files(`${paths}firmware = "/none"`)).toThrow(`${root}/none: ENOENT`);
});

test("others wait for a template as long as its start, its agent's answers and its end may take", () => {
  const keys = "[runtime]\nvm_start_timeout = 1\nstop_timeout = 20\n";
  const agent = "[agent.kata]\ndial_timeout = 300\nrequest_timeout = 4000\n";
  expect(makingSeconds(parseConfig(keys + agent, "/c.toml"))).toBe(4321);
});

test.each([
  [60, 10],
  [30, 10],
  [5, 5],
  [600, 100],
])("with a dial_timeout of %i s a copy may take %i s", (dialTimeout, seconds) => {
  expect(copyAnswerSeconds(dialTimeout)).toBe(seconds);
});
