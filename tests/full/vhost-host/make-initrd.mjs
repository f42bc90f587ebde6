// make-initrd.mjs FILE: the image of a host with vhost-vsock (see init), from the Debian kernel that guest/ has fetched.
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { cpio } from "../../../guest/cpio.mjs";
import { fetchKernel, kernelRelease } from "../../../guest/kernel.mjs";
import { resolveModules } from "../../../guest/modules.mjs";

const MODULES = ["virtio_pci", "9p", "9pnet_virtio", "overlay", "vhost_vsock"];
const here = import.meta.dirname ?? new URL(".", import.meta.url).pathname;
const [file] = process.argv.slice(2);
if (file === undefined) throw new Error("usage: make-initrd.mjs FILE");

const directory = fetchKernel(join(here, "../../../build/cache"));
const tree = join(directory, "lib/modules", kernelRelease(directory));
const modules = resolveModules(tree, MODULES);
const order = modules.map((module) => `${module.name}\n`).join("");
writeFileSync(
  file,
  cpio([
    ...["dev", "files", "memory", "modules", "proc", "root"].map((path) => ({
      path,
      dir: true,
      mode: 0o755,
    })),
    { path: "dev/console", char: [5, 1], mode: 0o600 },
    { path: "init", file: readFileSync(join(here, "init")), mode: 0o755 },
    { path: "busybox", file: readFileSync("/bin/busybox"), mode: 0o755 },
    { path: "modules/order", file: Buffer.from(order), mode: 0o644 },
    ...modules.map(({ name, file: bytes }) => ({ path: `modules/${name}.ko`, file: bytes, mode: 0o644 })),
  ]),
);
