import {
  type AllowList,
  type AnnotationRule,
  count,
  file,
  flag,
  oneOf,
  oneOfNumbers,
  optionalFile,
  pathPatterns,
  patterns,
  texts,
  words,
} from "../key.ts";
import { hypervisorRefused } from "./hypervisor-refused.ts";

/** The kernel's command line is at most 2,047 bytes on x86-64 (COMMAND_LINE_SIZE); ours take up to 500 of them. */
const MAX_PARAMS = 1500;

/** Options of virtiofsd that are ours: what it serves, on which socket, and its confinement. */
const VIRTIOFSD_OURS =
  /^--?(fd|socket-path|socket-group|vhost-user-socket|shared-dir|sandbox|source)\b|(^|,)(source|sandbox)=/;

/** The annotation's value replaces the configuration's. */
const replaced: AnnotationRule = {};

/** What QEMU opens or runs on the host is not for who writes annotations to choose freely. */
const listedIn = (allowList: AllowList): AnnotationRule => ({ allowList });

const allowListOf = (key: string, example: string) =>
  pathPatterns({
    help: `What the annotation ${key} may name besides the value of the key ${key}: paths, or patterns of them as in glob(7).`,
    example: [example],
  });

/** The virtual machine. */
export const hypervisor = {
  name: "hypervisor.qemu",
  help: "The virtual machine and the programs that make it.",
  keys: {
    path: file("/usr/bin/qemu-system-x86_64", {
      annotation: listedIn("valid_hypervisor_paths"),
      help: "The QEMU to run.",
    }),
    kernel: file("/usr/share/kata-containers/vmlinux", {
      annotation: listedIn("valid_kernel_paths"),
      help: "The guest's kernel: an uncompressed ELF with a PVH note, or a bzImage.",
    }),
    initrd: file("/usr/share/kata-containers/kata-containers-initrd.img", {
      annotation: listedIn("valid_initrd_paths"),
      help: "The guest's initial RAM file system; kata-agent is its /init.",
    }),
    firmware: optionalFile({
      annotation: listedIn("valid_firmware_paths"),
      help: "The virtual machine's firmware. Empty: qboot where QEMU brings it, else QEMU's default.",
      example: "/usr/share/seabios/bios-256k.bin",
    }),
    machine_type: oneOf("pc", ["q35"], {
      annotation: replaced,
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
      {
        annotation: replaced,
        help: "CPU features to add or take away, as QEMU's -cpu names them.",
        example: "pmu=off",
      },
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
        annotation: { addedAfter: " " },
        help: "Added to the guest kernel's command line, separated by spaces. The last of two of one name wins.",
        example: "agent.hotplug_timeout=30",
      },
    ),
    default_vcpus: count(
      1,
      { min: -1, max: 240, unit: "vCPUs" },
      {
        annotation: replaced,
        help: "vCPUs of a sandbox, on top of those that its containers' limits ask for (docs/resources.md): at most as many as the host has CPUs. -1: as many as those; 0: one.",
        example: 2,
      },
    ),
    default_maxvcpus: count(
      0,
      { min: 0, max: 240, unit: "vCPUs" },
      {
        annotation: replaced,
        help: "The most vCPUs that a sandbox may get. 0: as many as the host has CPUs.",
        example: 4,
      },
    ),
    default_memory: count(
      256,
      { min: 64, max: 16_777_216, unit: "MiB" },
      {
        annotation: replaced,
        help: "Memory of a sandbox in MiB, on top of its containers' limits (docs/resources.md).",
        example: 2048,
      },
    ),
    default_maxmemory: count(
      0,
      { min: 0, max: 16_777_216, unit: "MiB" },
      {
        annotation: "it limits default_memory, which an annotation may set",
        help: "The most memory that a sandbox may get, in MiB. 0: no limit but the host's.",
        example: 8192,
      },
    ),
    memory_slots: count(
      10,
      { min: 0, max: 255, unit: "memory modules" },
      {
        annotation: replaced,
        help: "How often the memory of a running sandbox can grow. 0: never; one whose containers ask for more then is an error.",
        example: 20,
      },
    ),
    enable_mem_prealloc: flag(false, {
      annotation: replaced,
      help: "Take all of the virtual machine's memory from the host when it starts, not when it is first used.",
    }),
    enable_hugepages: flag(false, {
      annotation: replaced,
      help: "Take the virtual machine's memory from the host's reserved huge pages (vm.nr_hugepages), all of it at its start.",
    }),
    reclaim_guest_freed_memory: flag(false, {
      annotation: replaced,
      help: "Give memory that the guest does not use any more back to the host, by the free page reporting of a virtio-balloon device: in pieces of 2 MiB, some seconds after. Not with enable_hugepages or enable_mem_prealloc, which keep the memory.",
    }),
    accelerator: oneOf("auto", ["kvm", "tcg"], {
      help: "auto: KVM where it really runs a guest, else QEMU's software emulation (tcg), with a warning. kvm: fail where KVM does not run a guest.",
    }),
    entropy_source: file("/dev/urandom", {
      annotation: listedIn("valid_entropy_sources"),
      help: "The device that feeds the guest's virtio-rng.",
      example: "/dev/hwrng",
    }),
    disable_vhost_net: flag(false, {
      annotation: replaced,
      help: "Have QEMU move the frames of network cards, not the host's kernel. Without /dev/vhost-net, and with software emulation, QEMU does.",
    }),
    shared_fs: oneOf("virtio-fs", ["virtio-9p"], {
      annotation: replaced,
      help: "How the guest sees the host's files. virtio-9p is for hosts without virtiofsd: slower, and without FIFOs, sockets and device nodes.",
      refused: {
        "virtio-fs-nydus": "no nydusd is driven",
        none: "root file systems reach the guest by the share alone",
      },
    }),
    virtio_fs_daemon: file("/usr/lib/qemu/virtiofsd", {
      annotation: listedIn("valid_virtio_fs_daemon_paths"),
      help: "The virtiofsd to run.",
    }),
    virtio_fs_cache: oneOf("auto", ["none", "never", "always"], {
      annotation: replaced,
      help: "What the guest may cache of shared files; never is another word for none. always: only when nobody else changes them.",
      refused: { metadata: "QEMU's own virtiofsd does not have it" },
    }),
    virtio_fs_queue_size: oneOfNumbers(1024, [64, 128, 256, 512], {
      help: "Requests that the guest may have under way at the share.",
    }),
    virtio_fs_extra_args: texts([], {
      annotation: "they are arguments of a program of the host's",
      help: "Added to virtiofsd's arguments.",
      example: ["--thread-pool-size=1"],
      wrong: (item) =>
        VIRTIOFSD_OURS.test(item)
          ? `without ${JSON.stringify(item)}: what virtiofsd serves, where, and how it is confined is the runtime's`
          : undefined,
    }),
    enable_annotations: patterns({
      help: "Which annotations io.katacontainers.config.* of a sandbox may change its configuration (docs/annotations.md): regular expressions that are looked for in the annotation's last word (^vcpus$ is the whole word, vcpus is in default_vcpus). An annotation that none is found in is an error.",
      example: ["^default_vcpus$", "^default_memory$", "^kernel_params$"],
    }),
    valid_hypervisor_paths: allowListOf("path", "/opt/qemu-*/bin/qemu-system-x86_64"),
    valid_kernel_paths: allowListOf("kernel", "/usr/share/kata-containers/vmlinux*"),
    valid_initrd_paths: allowListOf("initrd", "/usr/share/kata-containers/*.img"),
    valid_firmware_paths: allowListOf("firmware", "/usr/share/seabios/*.bin"),
    valid_virtio_fs_daemon_paths: allowListOf("virtio_fs_daemon", "/opt/*/virtiofsd"),
    valid_entropy_sources: allowListOf("entropy_source", "/dev/*random"),
    enable_debug: flag(false, {
      help: "Keep the guest's console, with the kernel's messages, in daemon.log of the sandbox's state directory.",
    }),
  },
  refused: hypervisorRefused,
} as const;
