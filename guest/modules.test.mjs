import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, it } from "vitest";
import { resolveModules } from "./modules.mjs";

/** Stands for lib/modules/<release> of a kernel's package. */
let directory = "";

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), "kata-modules-"));
  writeFileSync(join(directory, "modules.builtin"), "kernel/fs/fuse/fuse.ko\n");
});
afterEach(() => rmSync(directory, { recursive: true }));

function compileModule(name, depends) {
  const source = `__attribute__((section(".modinfo"), used)) static const char needs[] = "depends=${depends}";`;
  const args = ["-c", "-x", "c", "-", "-o", join(directory, `${name}.ko`)];
  execFileSync("cc", args, { input: source, stdio: ["pipe", "ignore", "inherit"] });
}

it("puts a module behind what it needs, without what the kernel has", () => {
  compileModule("virtiofs", "fuse,virtio-ring");
  compileModule("virtio_ring", "");
  expect(resolveModules(directory, ["virtiofs"])).toMatchObject([
    { name: "virtio_ring", needs: [] },
    { name: "virtiofs", needs: ["virtio_ring"] },
  ]);
});

it("unpacks modules that the package has compressed", () => {
  compileModule("virtio-net", "");
  const [plain] = resolveModules(directory, ["virtio_net"]);
  execFileSync("xz", [join(directory, "virtio-net.ko")]);
  const [compressed] = resolveModules(directory, ["virtio_net"]);
  expect(compressed.file.equals(plain.file)).toBe(true);
});

it("names the module that the kernel does not have", () => {
  expect(() => resolveModules(directory, ["overlay"])).toThrow(
    `kernel module overlay is not in ${directory}`,
  );
});
