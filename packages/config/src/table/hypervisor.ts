import { count, file, flag, oneOf, oneOfNumbers, optionalFile, texts, words } from "../key.ts";
import { hypervisorRefused } from "./hypervisor-refused.ts";

/** The kernel's command line is at most 2,047 bytes on x86-64 (COMMAND_LINE_SIZE); ours take up to 500 of them. */
const MAX_PARAMS = 1500;

/** Options of virtiofsd that are ours: what it serves, on which socket, and its confinement. */
const VIRTIOFSD_OURS =
  /^--?(fd|socket-path|socket-group|vhost-user-socket|shared-dir|sandbox|source)\b|(^|,)(source|sandbox)=/;

/** The virtual machine. */
export const hypervisor = {
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
    firmware: optionalFile({
      help: "The virtual machine's firmware. Empty: qboot where QEMU brings it, else QEMU's default.",
      example: "/usr/share/seabios/bios-256k.bin",
    }),
    machine_type: oneOf("pc", ["q35"], {
      help: "QEMU's machine. pc boots faster; q35 has PCI Express.",
    }),
    agent_channel: oneOf("auto", ["vsock", "virtio-serial"], {
      help: "How the agent is reached. auto: by vsock where the host has /dev/vhost-vsock, else by virtio-serial.",
    }),
    cpu_features: words(
      "",
      {
        separator: ",",
        maxLength: 1024,
        wrong: (word) =>
          /^[+-]?[A-Za-z0-9][\w.-]*(=[\w.-]+)?$/.test(word)
            ? undefined
            : "words like pmu=off, +avx2 or -sse4a",
      },
      { help: "CPU features to add or take away, as QEMU's -cpu names them.", example: "pmu=off" },
    ),
    kernel_params: words(
      "",
      {
        separator: " ",
        maxLength: MAX_PARAMS,
        wrong: (word) =>
          /^agent\.(server_addr|log_vport)\b/.test(word)
            ? `without ${word.split("=")[0]}: the runtime chooses how the agent is reached`
            : undefined,
      },
      {
        help: "Added to the guest kernel's command line, separated by spaces. The last of two of one name wins.",
        example: "agent.hotplug_timeout=10",
      },
    ),
    default_vcpus: count(
      1,
      { min: -1, max: 240, unit: "vCPUs" },
      {
        help: "vCPUs of a sandbox: at most as many as the host has CPUs. -1: as many as those; 0: one.",
        example: 2,
      },
    ),
    default_maxvcpus: count(
      0,
      { min: 0, max: 240, unit: "vCPUs" },
      { help: "The most vCPUs that a sandbox may get. 0: as many as the host has CPUs.", example: 4 },
    ),
    default_memory: count(
      256,
      { min: 64, max: 16_777_216, unit: "MiB" },
      { help: "Memory of a sandbox, in MiB.", example: 2048 },
    ),
    default_maxmemory: count(
      0,
      { min: 0, max: 16_777_216, unit: "MiB" },
      { help: "The most memory that a sandbox may get, in MiB. 0: no limit but the host's.", example: 8192 },
    ),
    enable_mem_prealloc: flag(false, {
      help: "Take all of the virtual machine's memory from the host when it starts, not when it is first used.",
    }),
    enable_hugepages: flag(false, {
      help: "Take the virtual machine's memory from the host's reserved huge pages (vm.nr_hugepages), all of it at its start.",
    }),
    accelerator: oneOf("auto", ["kvm", "tcg"], {
      help: "auto: KVM where it really runs a guest, else QEMU's software emulation (tcg), with a warning. kvm: fail where KVM does not run a guest.",
    }),
    entropy_source: file("/dev/urandom", {
      help: "The device that feeds the guest's virtio-rng.",
      example: "/dev/hwrng",
    }),
    shared_fs: oneOf("virtio-fs", ["virtio-9p"], {
      help: "How the guest sees the host's files. virtio-9p is for hosts without virtiofsd: slower, and without FIFOs, sockets and device nodes.",
      refused: {
        "virtio-fs-nydus": "no nydusd is driven",
        none: "root file systems reach the guest by the share alone",
      },
    }),
    virtio_fs_daemon: file("/usr/lib/qemu/virtiofsd", { help: "The virtiofsd to run." }),
    virtio_fs_cache: oneOf("auto", ["none", "never", "always"], {
      help: "What the guest may cache of shared files; never is another word for none. always: only when nobody else changes them.",
      refused: { metadata: "QEMU's own virtiofsd does not have it" },
    }),
    virtio_fs_queue_size: oneOfNumbers(1024, [64, 128, 256, 512], {
      help: "Requests that the guest may have under way at the share.",
    }),
    virtio_fs_extra_args: texts([], {
      help: "Added to virtiofsd's arguments.",
      example: ["--thread-pool-size=1"],
      wrong: (item) =>
        VIRTIOFSD_OURS.test(item)
          ? `without ${JSON.stringify(item)}: what virtiofsd serves, where, and how it is confined is the runtime's`
          : undefined,
    }),
    enable_debug: flag(false, {
      help: "Keep the guest's console, with the kernel's messages, in daemon.log of the sandbox's state directory.",
    }),
  },
  refused: hypervisorRefused,
} as const;
