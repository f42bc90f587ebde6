import { count, file, flag, oneOf, text, texts, type ValueOf } from "./key.ts";

const seconds = (min: number) => ({ min, max: 86_400, unit: "seconds" });

/**
 * Every table and key of configuration.toml. The parser, the type `KataConfig`, the template and the documentation
 * all come from here. Names are upstream's where upstream has the key.
 */
export const table = {
  hypervisor: {
    name: "hypervisor.qemu",
    help: "The virtual machine and the programs that make it.",
    keys: {
      path: file("/usr/bin/qemu-system-x86_64", { help: "The QEMU to run." }),
      kernel: file("/usr/share/kata-containers/vmlinux", {
        help: "The guest's kernel: an uncompressed ELF with a PVH note, or a bzImage.",
      }),
      initrd: file("/usr/share/kata-containers/kata-containers-initrd.img", {
        help: "The guest's initial RAM file system; kata-agent is its /init.",
      }),
      machine_type: oneOf("pc", [], { help: "QEMU's machine." }),
      kernel_params: text("", {
        help: "Added to the guest kernel's command line, separated by spaces. The last of two of one name wins.",
        example: "agent.log=debug",
      }),
      default_vcpus: count(
        1,
        { min: 1, max: 240, unit: "vCPUs" },
        { help: "vCPUs of a sandbox.", example: 2 },
      ),
      default_memory: count(
        256,
        { min: 64, max: 16_777_216, unit: "MiB" },
        { help: "Memory of a sandbox, in MiB.", example: 2048 },
      ),
      accelerator: oneOf("auto", ["kvm", "tcg"], {
        help: "auto: KVM where it really runs a guest, else QEMU's software emulation (tcg), with a warning. kvm: fail where KVM does not run a guest.",
      }),
      entropy: file("/dev/urandom", { help: "Where the guest's virtio-rng device reads." }),
      shared_fs: oneOf("virtio-fs", [], { help: "How the guest sees the host's files." }),
      virtio_fs_daemon: file("/usr/lib/qemu/virtiofsd", { help: "The virtiofsd to run." }),
      virtio_fs_cache: oneOf("auto", ["none", "always"], {
        help: "What the guest may cache of shared files. always: only when nobody else changes them.",
      }),
      virtio_fs_extra_args: texts([], {
        help: "Added to virtiofsd's arguments.",
        example: ["--thread-pool-size=1"],
      }),
      enable_debug: flag(false, {
        help: "Keep the guest's console in the sandbox's log, and the kernel's messages on it.",
      }),
    },
  },
  agent: {
    name: "agent.kata",
    help: "kata-agent, the guest's first process.",
    keys: {
      dial_timeout: count(60, seconds(1), {
        help: "How long the agent may take to answer after the virtual machine has started, in seconds.",
        example: 15,
      }),
      request_timeout: count(60, seconds(1), {
        help: "How long one request to the agent may take, in seconds.",
      }),
    },
  },
  runtime: {
    name: "runtime",
    help: "kata-runtime and the sandbox's daemon.",
    keys: {
      enable_debug: flag(false, { help: "Log everything, to daemon.log in the sandbox's state directory." }),
      launch_path: file("/usr/libexec/kata-containers/kata-launch", {
        help: "The program that confines what the daemon starts.",
      }),
      shim_path: file("/usr/bin/containerd-shim-kata-v2", { help: "The sandbox's daemon." }),
      kata_shim_path: file("/usr/libexec/kata-containers/kata-shim", {
        help: "The process that stands for a container's process on the host.",
      }),
      disable_guest_seccomp: flag(true, {
        help: "Run containers without their seccomp profile, with a warning. false: refuse a container that has one, until the guest can apply it.",
      }),
      vm_start_timeout: count(30, seconds(1), {
        help: "How long QEMU and virtiofsd may take to start, in seconds, without the guest's boot.",
      }),
      stop_timeout: count(10, seconds(0), {
        help: "How long the guest may take to shut down, in seconds, before the virtual machine is killed.",
      }),
    },
  },
} as const;

export type Table = typeof table;
export type SectionName = keyof Table;

/** The configuration as a program sees it: `config.hypervisor.default_memory`. Frozen. */
export type KataConfig = {
  readonly [S in SectionName]: {
    readonly [K in keyof Table[S]["keys"]]: ValueOf<Table[S]["keys"][K]>;
  };
} & {
  /** The file it was read from. */
  readonly path: string;
};
