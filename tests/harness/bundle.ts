import { execFileSync } from "node:child_process";
import { copyFileSync, mkdirSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";

export interface BundleOptions {
  readonly args?: readonly string[];
  readonly env?: readonly string[];
  readonly cwd?: string;
  readonly terminal?: boolean;
  readonly user?: { readonly uid: number; readonly gid: number };
  readonly mounts?: readonly object[];
  readonly cgroupsPath?: string;
  readonly annotations?: Readonly<Record<string, string>>;
  readonly hooks?: object;
  /** Changes what is written, last. */
  readonly edit?: (config: ReturnType<typeof dockerLikeConfig>) => void;
}

/** Makes a bundle: a busybox root file system, and a config.json as docker's. Returns its directory. */
export function makeBundle(directory: string, options: BundleOptions = {}): string {
  mkdirSync(directory, { recursive: true });
  makeRootfs(join(directory, "rootfs"));
  writeConfig(directory, options);
  return directory;
}

/** Writes config.json anew. */
export function writeConfig(directory: string, options: BundleOptions): void {
  const config = dockerLikeConfig(options);
  options.edit?.(config);
  writeFileSync(join(directory, "config.json"), JSON.stringify(config, undefined, 2));
}

let applets: readonly string[] | undefined;

function makeRootfs(rootfs: string): void {
  for (const name of ["bin", "dev", "etc", "proc", "root", "run", "sys", "tmp", "var"]) {
    mkdirSync(join(rootfs, name), { recursive: true });
  }
  copyFileSync("/bin/busybox", join(rootfs, "bin/busybox"));
  applets ??= execFileSync("/bin/busybox", ["--list"], { encoding: "utf8" }).trim().split("\n");
  for (const applet of applets) if (applet !== "busybox") symlinkSync("busybox", join(rootfs, "bin", applet));
  writeFileSync(
    join(rootfs, "etc/passwd"),
    "root:x:0:0:root:/root:/bin/sh\nuser:x:1000:1000::/tmp:/bin/sh\n",
  );
  writeFileSync(join(rootfs, "etc/group"), "root:x:0:\nuser:x:1000:\n");
}

const capabilities = [
  "CAP_CHOWN",
  "CAP_DAC_OVERRIDE",
  "CAP_FSETID",
  "CAP_FOWNER",
  "CAP_MKNOD",
  "CAP_NET_RAW",
  "CAP_SETGID",
  "CAP_SETUID",
  "CAP_SETFCAP",
  "CAP_SETPCAP",
  "CAP_NET_BIND_SERVICE",
  "CAP_SYS_CHROOT",
  "CAP_KILL",
  "CAP_AUDIT_WRITE",
];

function dockerLikeConfig(options: BundleOptions) {
  return {
    ociVersion: "1.0.2-dev",
    process: {
      terminal: options.terminal ?? false,
      user: options.user ?? { uid: 0, gid: 0 },
      args: options.args ?? ["/bin/true"],
      env: ["PATH=/bin:/sbin", "TERM=xterm", "HOSTNAME=kata", ...(options.env ?? [])],
      cwd: options.cwd ?? "/",
      capabilities: { bounding: capabilities, effective: capabilities, permitted: capabilities },
      rlimits: [],
      oomScoreAdj: 0,
    },
    root: { path: "rootfs" },
    hostname: "kata",
    annotations: options.annotations,
    hooks: options.hooks,
    mounts: [
      { destination: "/proc", type: "proc", source: "proc", options: ["nosuid", "noexec", "nodev"] },
      {
        destination: "/dev",
        type: "tmpfs",
        source: "tmpfs",
        options: ["nosuid", "strictatime", "mode=755", "size=65536k"],
      },
      {
        destination: "/dev/pts",
        type: "devpts",
        source: "devpts",
        options: ["nosuid", "noexec", "newinstance", "ptmxmode=0666", "mode=0620", "gid=5"],
      },
      { destination: "/sys", type: "sysfs", source: "sysfs", options: ["nosuid", "noexec", "nodev", "ro"] },
      {
        destination: "/sys/fs/cgroup",
        type: "cgroup",
        source: "cgroup",
        options: ["ro", "nosuid", "noexec", "nodev"],
      },
      {
        destination: "/dev/mqueue",
        type: "mqueue",
        source: "mqueue",
        options: ["nosuid", "noexec", "nodev"],
      },
      {
        destination: "/dev/shm",
        type: "tmpfs",
        source: "shm",
        options: ["nosuid", "noexec", "nodev", "mode=1777", "size=65536k"],
      },
      ...(options.mounts ?? []),
    ] as object[],
    linux: {
      cgroupsPath: options.cgroupsPath,
      resources: {
        devices: [
          { allow: false, access: "rwm" },
          { allow: true, type: "c", major: 1, minor: 5, access: "rwm" },
          { allow: true, type: "c", major: 1, minor: 3, access: "rwm" },
          { allow: true, type: "c", major: 1, minor: 9, access: "rwm" },
          { allow: true, type: "c", major: 1, minor: 8, access: "rwm" },
          { allow: true, type: "c", major: 5, minor: 0, access: "rwm" },
          { allow: true, type: "c", major: 5, minor: 1, access: "rwm" },
        ],
        memory: {},
        cpu: { shares: 0 },
        pids: { limit: 0 },
        blockIO: { weight: 0 },
      },
      namespaces: [
        { type: "mount" },
        { type: "network" },
        { type: "uts" },
        { type: "pid" },
        { type: "ipc" },
      ] as {
        type: string;
        path?: string;
      }[],
      maskedPaths: [
        "/proc/asound",
        "/proc/acpi",
        "/proc/kcore",
        "/proc/keys",
        "/proc/latency_stats",
        "/proc/timer_list",
        "/proc/timer_stats",
        "/proc/sched_debug",
        "/proc/scsi",
        "/sys/firmware",
      ],
      readonlyPaths: ["/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger"],
    },
  };
}
