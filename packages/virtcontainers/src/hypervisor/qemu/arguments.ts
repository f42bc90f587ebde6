import { SHARE_TAG } from "../../paths.ts";
import type { AgentDevice, MemoryKind, VmConfig } from "../hypervisor.ts";
import { kernelCommandLine } from "./kernel-command-line.ts";

/** Descriptor numbers as the QEMU process sees them. */
export type QemuDescriptors = {
  readonly qmp: number;
  readonly agent: AgentDevice;
  readonly share?: number;
  readonly console: number;
  readonly nics: readonly QemuNic[];
  /** It waits for another VM's state, and stands still after that. */
  readonly incoming: boolean;
};

/** A network card, by the numbers that its descriptors have for QEMU. */
export type QemuNic = {
  readonly id: string;
  readonly mac: string;
  readonly tap: number;
  readonly vhost: number | undefined;
};

/** Paths as the QEMU process sees them, inside its own root. */
export type QemuPaths = {
  readonly kernel: string;
  readonly initrd: string;
  /** Firmware other than QEMU's default. */
  readonly bios?: string;
};

/** A firmware that does nothing but enter the kernel: 0.03 to 0.15 s faster than SeaBIOS (guest/README.md). */
export const QBOOT = "/usr/share/qemu/qboot.rom";

/** QEMU's own seccomp filter: it may not spawn, gain privileges or change its limits. So migration goes by `fd:`. */
const SANDBOX = "on,obsolete=deny,elevateprivileges=deny,spawn=deny,resourcecontrol=deny";

/** Buffer for the guest's translated code, MiB. QEMU's default is 1 GiB, all of which can become resident. */
const TCG_CODE_MIB = 64;
/** The least of it for each vCPU, MiB. */
const TCG_CODE_EACH_MIB = 4;

/**
 * All that TCG has, but for fast `rep movsb`: the guest's kernel would copy by it, and TCG runs it byte by byte. Without, the
 * kernel copies eight bytes at a time: a container's output is twice as fast (measured: 87 against 42 MB/s). Nor by `rep movsq`, which
 * TCG runs step by step as well: of AMD's CPUs, and QEMU's emulated ones say that they are AMD's, Linux does without on the first models of
 * family 15 alone (X86_FEATURE_REP_GOOD in its amd.c). Measured later, when much else was faster: 138 against 122 MB/s, ten pairs.
 */
const TCG_CPU = "max,-erms,-fsrm,family=15,model=4,stepping=0";

/**
 * The command line of a VM, without the program's name. Of the sandbox it says the MAC of the network cards that there are, no more (see
 * VmConfig), and so no -name: in the host's process list its cgroup and its parent name the sandbox.
 */
export function qemuArguments(config: VmConfig, fds: QemuDescriptors, paths: QemuPaths): string[] {
  // Of a VM that is saved, and of its copies.
  const saved = config.memoryFile !== undefined;
  return [
    ...machine(config),
    ...["-nodefaults", "-no-user-config", "-nographic", "-no-reboot"],
    ...["-sandbox", SANDBOX],
    ...(paths.bios === undefined ? [] : ["-bios", paths.bios]),
    ...(fds.incoming ? [] : kernel(config, paths)),
    ...["-chardev", `socket,id=qmp,fd=${fds.qmp}`, "-mon", "chardev=qmp,mode=control"],
    ...agentChannel(fds.agent),
    ...(fds.share === undefined ? [] : share(fds.share, config.shareQueueSize)),
    ...(config.shareDirectory === undefined ? [] : plan9Share(config.shareDirectory)),
    ...[
      "-object",
      `rng-random,id=entropy,filename=${value(config.entropySource)}`,
      "-device",
      "virtio-rng-pci,rng=entropy",
    ],
    ...(config.reclaimsMemory ? ["-device", "virtio-balloon-pci,free-page-reporting=on"] : []),
    ...["-chardev", `socket,id=console,fd=${fds.console}`, "-device", "isa-serial,chardev=console"],
    ...(saved ? GENERATION_ID : []),
    ...(config.machineType === "q35" ? [...NIC_PORTS, ...(saved ? [SHARE_PORT] : [])].flatMap(port) : []),
    // The last: no other device has another place on the bus for what a template has not and its copies have.
    ...fds.nics.flatMap(networkCard),
    ...(fds.incoming ? INCOMING : []),
  ];
}

/**
 * SeaBIOS's table of interrupts (src/fw/mptable.c) leaves out 9, which is ACPI's own, but for a PCI device that has it, as the i440FX's
 * power management: by it a q35's kernel would never hear of what is plugged in, nor that it is a copy.
 */
function acpiInterrupts({ machineType }: VmConfig, { bios }: QemuPaths): boolean {
  return machineType === "q35" && bios !== QBOOT;
}

/** Not of a copy: its guest has read them when it was another's. */
function kernel(config: VmConfig, paths: QemuPaths): string[] {
  const line = kernelCommandLine({ ...config, acpiInterrupts: acpiInterrupts(config, paths) });
  return ["-kernel", paths.kernel, "-initrd", paths.initrd, "-append", line];
}

function machine(config: VmConfig): string[] {
  const size = `${config.memoryMiB}M`;
  return [
    ...[
      "-machine",
      `${config.machineType},memory-backend=memory,usb=off,vmport=off,smbus=off${unused(config)}`,
    ],
    ...(config.accelerator === "kvm"
      ? ["-accel", "kvm", "-cpu", cpu("host", config), "-global", "kvm-pit.lost_tick_policy=discard"]
      : [
          "-accel",
          `tcg,tb-size=${Math.max(TCG_CODE_MIB, TCG_CODE_EACH_MIB * config.maxVcpus)}`,
          "-cpu",
          cpu(TCG_CPU, config),
        ]),
    ...["-rtc", "base=utc,driftfix=slew,clock=host"],
    ...["-smp", cpus(config), "-m", `${size}${slots(config)}`],
    // Shared, because virtiofsd reads and writes the guest's memory.
    ...["-object", `${memoryBackend(config)},id=memory,size=${size},share=on${memoryOptions(config)}`],
  ];
}

function memoryBackend({ memoryFile }: VmConfig): string {
  return memoryFile === undefined
    ? "memory-backend-memfd"
    : `memory-backend-file,mem-path=${value(memoryFile)}`;
}

/** q35 has a SATA controller that nobody asked for. */
function unused({ machineType }: VmConfig): string {
  return machineType === "q35" ? ",sata=off" : "";
}

/**
 * With a place for each vCPU that may be added. Emulated ones are all there from the start, and the guest's kernel leaves alone those that
 * are to come (kernelCommandLine): QEMU aborts when one is added and those that run have taken all room for translated code (7.2:
 * tcg_region_initial_alloc). One that is not online costs nothing.
 */
function cpus({ vcpus, maxVcpus, accelerator }: VmConfig): string {
  if (accelerator === "tcg") return String(maxVcpus);
  return maxVcpus > vcpus ? `${vcpus},maxcpus=${maxVcpus}` : String(vcpus);
}

/** An emulated CPU addresses 40 bits: QEMU refuses a machine whose memory could be beyond that. */
const MAX_EMULATED_MIB = 512 << 10;

function slots({ memoryMiB, maxMemoryMiB, memorySlots, accelerator }: VmConfig): string {
  const most = accelerator === "tcg" ? Math.min(maxMemoryMiB, MAX_EMULATED_MIB) : maxMemoryMiB;
  return memorySlots === 0 || most <= memoryMiB ? "" : `,slots=${memorySlots},maxmem=${most}M`;
}

/** Huge pages are taken at once: a guest that finds none later dies of SIGBUS. */
export const MEMORY = {
  anonymous: { hugetlb: false, prealloc: false },
  prealloc: { hugetlb: false, prealloc: true },
  hugetlb: { hugetlb: true, prealloc: true },
} as const satisfies Record<MemoryKind, object>;

function memoryOptions({ memory }: VmConfig): string {
  return Object.entries(MEMORY[memory])
    .filter(([, on]) => on)
    .map(([name]) => `,${name}=on`)
    .join("");
}

function cpu(model: string, { cpuFeatures }: VmConfig): string {
  return [model, ...cpuFeatures].join(",");
}

/** A value in QEMU's list of options, where a comma is doubled. */
function value(text: string): string {
  return text.replaceAll(",", ",,");
}

function agentChannel(device: AgentDevice): string[] {
  if (device.kind === "vsock")
    return ["-device", `vhost-vsock-pci,guest-cid=${device.cid},vhostfd=${device.fd}`];
  return [
    ...["-chardev", `socket,id=agent,fd=${device.fd}`],
    ...["-device", "virtio-serial-pci,id=serial,max_ports=2"],
    ...["-device", "virtserialport,chardev=agent,name=agent.channel.0"],
  ];
}

function networkCard({ id, mac, tap, vhost }: QemuNic): string[] {
  const accelerated = vhost === undefined ? "" : `,vhost=on,vhostfd=${vhost}`;
  return [
    ...["-netdev", `tap,id=${id},fd=${tap}${accelerated}`],
    // Nobody boots from it: no ROM.
    ...["-device", `virtio-net-pci,id=${cardId(id)},netdev=${id},mac=${mac},romfile=`],
  ];
}

/** A card's name, its netdev's being the other. */
export const cardId = (id: string): string => `${id}-card`;

/** Where q35 takes network cards later: nothing can be plugged into its root bus. */
export const NIC_PORTS: readonly string[] = ["port0", "port1"];

/** And where it takes the share of a VM that goes on from a saved one. */
export const SHARE_PORT = "port2";

/** A number that is another one in each copy of a VM: the guest's kernel makes its random numbers anew when it changes (QEMU, docs/specs/vmgenid.txt). */
const GENERATION_ID = ["-device", "vmgenid,guid=auto"];

const INCOMING = ["-incoming", "defer", "-S"];

function port(id: string, index: number): string[] {
  return ["-device", `pcie-root-port,id=${id},chassis=${index + 1}`];
}

function share(fd: number, queueSize: number): string[] {
  return [
    ...["-chardev", `socket,id=share,fd=${fd}`],
    ...["-device", `vhost-user-fs-pci,chardev=share,tag=${SHARE_TAG},queue-size=${queueSize}`],
  ];
}

/**
 * QEMU as the share's server: owners and modes as they are, and inode numbers told apart between the trees, which are of several
 * file systems.
 */
function plan9Share(directory: string): string[] {
  return [
    ...["-fsdev", `local,id=share,path=${directory},security_model=passthrough,multidevs=remap`],
    ...["-device", `virtio-9p-pci,fsdev=share,mount_tag=${SHARE_TAG}`],
  ];
}
