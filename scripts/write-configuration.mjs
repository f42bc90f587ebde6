// write-configuration.mjs FILE [PREFIX]: the configuration template with this build's paths, or those of an installation.
import { chmodSync, existsSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { importPackage } from "./import-typescript.mjs";

const [file, prefix] = process.argv.slice(2);
if (!file) throw new Error("usage: write-configuration.mjs FILE [PREFIX]");

const { renderTemplate } = await importPackage("config");

const bin = prefix ? join(prefix, "bin") : resolve("build/bin");
const libexec = prefix ? join(prefix, "libexec/kata-containers") : bin;
const guest = prefix ? join(prefix, "share/kata-containers") : resolve("build/guest");
const firstThere = (...paths) => paths.find((path) => existsSync(path)) ?? paths[0];

writeFileSync(
  file,
  renderTemplate({
    "hypervisor.qemu": {
      path: firstThere("/usr/bin/qemu-system-x86_64"),
      kernel: join(guest, "vmlinux"),
      initrd: join(guest, "initrd.img"),
      virtio_fs_daemon: firstThere("/usr/libexec/virtiofsd", "/usr/lib/qemu/virtiofsd"),
    },
    runtime: {
      launch_path: join(libexec, "kata-launch"),
      shim_path: join(bin, "containerd-shim-kata-v2"),
      kata_shim_path: join(libexec, "kata-shim"),
    },
  }),
);
// Whatever the umask: a configuration that others can write is refused.
chmodSync(file, 0o644);
