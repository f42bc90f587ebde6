import { lookUp } from "./refuse.ts";
import { parseTable } from "./syscall-table.ts";
import { AARCH64, X32_ADDS, X32_LACKS, X86, X86_64 } from "./syscalls.gen.ts";

/** A machine that containers run on. */
export type NativeArch = "x86_64" | "aarch64";

/** A calling convention of the kernel, as a filter tells them apart. */
export type Architecture = {
  /** seccomp_data.arch: AUDIT_ARCH_* of linux/audit.h. */
  readonly audit: number;
  /** Bits of an argument that count; filters of a 32-bit convention look at the low half alone. */
  readonly bits: 32 | 64;
  /** Set in every number of x32, which shares x86_64's audit number. */
  readonly numberBase: number;
  /** Sockets and System V IPC also come through socketcall(2) and ipc(2). */
  readonly multiplexed: boolean;
  readonly syscalls: () => Map<string, number>;
};

export const X32_SYSCALL_BIT = 0x40000000;
export const AUDIT_ARCH_X86_64 = 0xc000003e;

function x32Syscalls(): Map<string, number> {
  const numbers = parseTable(X86_64);
  for (const name of X32_LACKS.split(" ")) {
    numbers.delete(name);
  }
  for (const [name, number] of parseTable(X32_ADDS)) {
    numbers.set(name, number);
  }
  return numbers;
}

const ARCHITECTURES = {
  SCMP_ARCH_X86_64: {
    audit: AUDIT_ARCH_X86_64,
    bits: 64,
    numberBase: 0,
    multiplexed: false,
    syscalls: () => parseTable(X86_64),
  },
  SCMP_ARCH_X86: {
    audit: 0x40000003,
    bits: 32,
    numberBase: 0,
    multiplexed: true,
    syscalls: () => parseTable(X86),
  },
  SCMP_ARCH_X32: {
    audit: AUDIT_ARCH_X86_64,
    bits: 32,
    numberBase: X32_SYSCALL_BIT,
    multiplexed: false,
    syscalls: x32Syscalls,
  },
  SCMP_ARCH_AARCH64: {
    audit: 0xc00000b7,
    bits: 64,
    numberBase: 0,
    multiplexed: false,
    syscalls: () => parseTable(AARCH64),
  },
} as const satisfies Readonly<Record<string, Architecture>>;

const NATIVE: Readonly<Record<NativeArch, Architecture>> = {
  x86_64: ARCHITECTURES.SCMP_ARCH_X86_64,
  aarch64: ARCHITECTURES.SCMP_ARCH_AARCH64,
};

/**
 * Every name of the specification. `false`: no table of ours, so the filter has no such architecture and its calls are
 * bad ones. That is moot where the native kernel cannot run such a program; 32-bit ARM programs on aarch64 are killed.
 */
const NAMES: Readonly<Record<string, Architecture | false>> = {
  ...ARCHITECTURES,
  ...Object.fromEntries(
    "ARM MIPS MIPS64 MIPS64N32 MIPSEL MIPSEL64 MIPSEL64N32 PPC PPC64 PPC64LE S390 S390X PARISC PARISC64 RISCV64 LOONGARCH64 M68K SH SHEB"
      .split(" ")
      .map((name) => [`SCMP_ARCH_${name}`, false as const]),
  ),
};

/** The native architecture, then the others a profile lists; and those listed that no filter of ours can have. */
export function parseArchitectures(
  names: readonly string[],
  native: NativeArch,
): { architectures: readonly Architecture[]; unsupported: readonly string[] } {
  const architectures = new Set([NATIVE[native]]);
  const unsupported: string[] = [];
  for (const [at, name] of names.entries()) {
    const architecture = lookUp(NAMES, name, `.architectures[${at}]`);
    if (architecture === false) {
      unsupported.push(name);
    } else {
      architectures.add(architecture);
    }
  }
  return { architectures: [...architectures], unsupported };
}
