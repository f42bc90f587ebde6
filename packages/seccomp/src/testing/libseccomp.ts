import { execFileSync, spawnSync } from "node:child_process";
import type { Seccomp } from "@kata-containers/oci";
import { CProgram } from "./c-program.ts";

/** SCMP_ARCH_* of seccomp.h: audit numbers, and one of its own for x32. */
export const TOKENS = {
  SCMP_ARCH_X86_64: 0xc000003e,
  SCMP_ARCH_X86: 0x40000003,
  SCMP_ARCH_X32: 0x4000003e,
  SCMP_ARCH_AARCH64: 0xc00000b7,
} as const;
export type ArchName = keyof typeof TOKENS;

const OPERATORS = ["", "NE", "LT", "LE", "EQ", "GE", "GT", "MASKED_EQ"].map((name) => `SCMP_CMP_${name}`);

const ACTIONS: Readonly<Record<string, number>> = {
  SCMP_ACT_KILL: 0,
  SCMP_ACT_KILL_THREAD: 0,
  SCMP_ACT_KILL_PROCESS: 0x80000000,
  SCMP_ACT_TRAP: 0x30000,
  SCMP_ACT_ERRNO: 0x50000,
  SCMP_ACT_NOTIFY: 0x7fc00000,
  SCMP_ACT_TRACE: 0x7ff00000,
  SCMP_ACT_LOG: 0x7ffc0000,
  SCMP_ACT_ALLOW: 0x7fff0000,
};

export function verdictOf(action: string, errno = 1): number {
  const verdict = ACTIONS[action];
  if (verdict === undefined) {
    throw new Error(`no action ${action}`);
  }
  return /ERRNO|TRACE/.test(action) ? verdict | errno : verdict;
}

/** libseccomp, asked by a small C program. */
export class Libseccomp implements Disposable {
  readonly #program = new CProgram("libseccomp-oracle.c", "-lseccomp");

  [Symbol.dispose](): void {
    this.#program[Symbol.dispose]();
  }

  /** Its names of an architecture's calls, by number. */
  table(arch: ArchName): ReadonlyMap<number, string> {
    const lines = execFileSync(this.#program.path, ["table", `${TOKENS[arch]}`], { encoding: "utf8" });
    return new Map(
      [...lines.matchAll(/^(\d+) (\w+)$/gm)].map(([, number, name]) => [Number(number), name ?? ""]),
    );
  }

  /** Its filter for a profile, without runc's ENOSYS; or its error. */
  compile(seccomp: Seccomp, foreign?: ArchName): Uint8Array | { readonly error: string } {
    const result = spawnSync(this.#program.path, [], {
      input: request(seccomp, foreign),
      maxBuffer: 1 << 24,
    });
    if (result.status === 1) {
      return { error: result.stderr.toString() };
    }
    if (result.status !== 0) {
      throw new Error(`the oracle failed: ${result.status} ${result.signal} ${result.stderr}`);
    }
    return result.stdout;
  }
}

function request(seccomp: Seccomp, foreign: ArchName | undefined): string {
  const lines = [`default ${verdictOf(seccomp.defaultAction, seccomp.defaultErrnoRet)}`];
  if (foreign !== undefined) {
    lines.push(`arch ${TOKENS[foreign]}`, "no-native");
  }
  for (const [name, token] of Object.entries(TOKENS)) {
    if (seccomp.architectures?.includes(name)) {
      lines.push(`arch ${token}`);
    }
  }
  for (const { names, action, errnoRet, args = [] } of seccomp.syscalls ?? []) {
    const tests = args.map((a) => `${a.index} ${OPERATORS.indexOf(a.op)} ${a.value} ${a.valueTwo ?? 0}`);
    for (const name of names) {
      lines.push(`rule ${verdictOf(action, errnoRet)} ${name} ${args.length} ${tests.join(" ")}`);
    }
  }
  return `${lines.join("\n")}\n`;
}
