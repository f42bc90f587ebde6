// build-image.mjs: makes what tests/host boots, once, and prints its folder: build/cache/host-<hash>, with root.ext4 (Debian, with
// the packages below) and initrd. The hash is of this folder's files, the kernel's release and Debian's lists of packages' release, so
// that a machine that is offline goes on with what it has.
import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import {
  copyFileSync,
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { basename, join } from "node:path";
import { cpio } from "../../guest/cpio.mjs";
import { fetchKernel, kernelRelease } from "../../guest/kernel.mjs";
import { resolveModules } from "../../guest/modules.mjs";

const SUITE = "bookworm";
const PACKAGES = [
  ...[
    "systemd",
    "systemd-sysv",
    "dbus",
    "kmod",
    "iproute2",
    "procps",
    "busybox-static",
    "bsdutils",
    "strace",
  ],
  ...["runc", "crun", "docker.io", "podman", "conmon", "containernetworking-plugins", "iptables"],
  ...["dbus-user-session", "libpam-systemd", "uidmap"],
  ...["qemu-system-x86", "qemu-system-common", "seabios", "ca-certificates", "python3", "apparmor"],
];
/** What the initrd needs to reach the root file system, and the test its port. */
const MODULES = [
  ...["virtio_pci", "virtio_blk", "virtio_console", "crc32c_generic", "ext4"],
  ...["9p", "9pnet_virtio", "overlay"],
];
/** Of /lib/modules: no drivers but these, for the machine has no hardware. */
const DRIVERS = [
  "block",
  "char",
  "net/dummy.ko",
  "net/tap.ko",
  "net/tun.ko",
  "net/veth.ko",
  "vhost",
  "virtio",
];
const IMAGE_BYTES = 4 * 1024 ** 3;
const BUILD_LIMIT_MS = 15 * 60_000;

const here = import.meta.dirname ?? new URL(".", import.meta.url).pathname;
const cache = join(here, "../../build/cache");
const files = join(here, "image");

const run = (program, args) =>
  execFileSync(program, args, { stdio: ["ignore", "ignore", "inherit"], timeout: BUILD_LIMIT_MS });

const kernel = fetchKernel(cache);
const release = kernelRelease(kernel);
const image = join(cache, `host-${imageHash()}`);
if (!existsSync(image)) build();
console.log(image);

function imageHash() {
  const hash = createHash("sha256").update(basename(kernel));
  for (const file of [
    join(here, "build-image.mjs"),
    ...readdirSync(files)
      .sort()
      .map((name) => join(files, name)),
  ])
    hash.update(`\0${basename(file)}\0`).update(readFileSync(file));
  return hash.digest("hex").slice(0, 16);
}

function build() {
  const work = mkdtempSync(join(cache, ".host-"));
  try {
    const root = join(work, "root");
    console.error(`host image: ${SUITE} with ${PACKAGES.length} packages (2 to 5 minutes, once)`);
    run("mmdebstrap", [
      ...["--quiet", "--mode=root", "--variant=minbase", `--include=${PACKAGES.join(",")}`],
      ...['--aptopt=Acquire::Languages "none"', "--dpkgopt=path-exclude=/usr/share/doc/*"],
      ...["--dpkgopt=path-exclude=/usr/share/man/*", "--dpkgopt=path-exclude=/usr/share/locale/*"],
      ...[SUITE, root],
    ]);
    addModules(root);
    addServices(root);
    const result = join(work, "image");
    mkdirSync(result);
    const disk = join(result, "root.ext4");
    run("truncate", ["--size", `${IMAGE_BYTES}`, disk]);
    run("mke2fs", ["-q", "-t", "ext4", "-O", "^has_journal", "-d", root, disk]);
    writeFileSync(join(result, "initrd"), makeInitrd());
    for (const old of readdirSync(cache).filter((name) => name.startsWith("host-")))
      rmSync(join(cache, old), { recursive: true });
    renameSync(result, image);
  } finally {
    rmSync(work, { recursive: true, force: true });
  }
}

function addModules(root) {
  const from = join(kernel, "lib/modules", release);
  const to = join(root, "lib/modules", release);
  cpSync(from, to, { recursive: true, filter: (path) => isWanted(path.slice(from.length + 1)) });
  run("chroot", [root, "depmod", release]);
}

function isWanted(path) {
  const driver = /^kernel\/drivers\/(.+)$/.exec(path)?.[1];
  if (driver === undefined) return !/^kernel\/sound|^(build|source)$/.test(path);
  return DRIVERS.some((wanted) => `${driver}/`.startsWith(`${wanted}/`) || wanted.startsWith(`${driver}/`));
}

/** The target that boots, and the service that takes commands; what a machine without users and hardware needs not is masked. */
function addServices(root) {
  const units = join(root, "etc/systemd/system");
  for (const name of ["kata-host.target", "kata-host.service"])
    copyFileSync(join(files, name), join(units, name));
  writeFileSync(join(root, "usr/libexec/kata-host-commands"), readFileSync(join(files, "commands")), {
    mode: 0o755,
  });
  for (const unit of readFileSync(join(files, "masked"), "utf8").trim().split("\n"))
    symlinkSync("/dev/null", join(units, unit));
  writeFileSync(join(root, "etc/hostname"), "kata-host\n");
  writeFileSync(join(root, "etc/machine-id"), "6b617461686f73746b617461686f7374\n");
  writeFileSync(join(root, "etc/fstab"), "");
  mkdirSync(join(root, "host"));
}

function makeInitrd() {
  const modules = resolveModules(join(kernel, "lib/modules", release), MODULES);
  const order = modules.map(({ name }) => `${name}\n`).join("");
  return cpio([
    ...["dev", "modules", "proc", "root"].map((path) => ({ path, dir: true, mode: 0o755 })),
    { path: "dev/console", char: [5, 1], mode: 0o600 },
    { path: "init", file: readFileSync(join(files, "init")), mode: 0o755 },
    { path: "busybox", file: readFileSync("/bin/busybox"), mode: 0o755 },
    { path: "modules/order", file: Buffer.from(order), mode: 0o644 },
    ...modules.map(({ name, file }) => ({ path: `modules/${name}.ko`, file, mode: 0o644 })),
  ]);
}
