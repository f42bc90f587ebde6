// write-configuration.mjs FILE [PREFIX]: the configuration template with this build's paths, or those of an installation.

import { existsSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { build } from "esbuild";

const [file, prefix] = process.argv.slice(2);
if (!file) throw new Error("usage: write-configuration.mjs FILE [PREFIX]");

const bundle = await build({
  entryPoints: ["packages/config/src/index.ts"],
  bundle: true,
  write: false,
  format: "esm",
  platform: "neutral",
  mainFields: ["module", "main"],
  target: "es2022",
});
const { renderTemplate } = await import(
  `data:text/javascript;base64,${Buffer.from(bundle.outputFiles[0].contents).toString("base64")}`
);

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
