import type { Seccomp } from "@kata-containers/oci";
import { expect } from "vitest";
import { compileSeccomp } from "../index.ts";
import { parseMultiplexers } from "../multiplexed.ts";
import { type Call, checkFilter, runFilter } from "./bpf-interpreter.ts";

import { type ArchName, type Libseccomp, TOKENS } from "./libseccomp.ts";
import { possibleVerdicts } from "./possible-verdicts.ts";
import { randomCalls } from "./random-calls.ts";

const X32_BIT = 0x40000000;
const ENOSYS = 0x50026;

/** Highest number that a profile names for each architecture: what is above gets ENOSYS, as in runc's patchbpf. */
type Newest = Partial<Record<ArchName, number>>;

/** Fails unless our filter and libseccomp's say the same of `count` calls; returns how many verdicts there were. */
export function compare(
  oracle: Libseccomp,
  seccomp: Seccomp,
  seed: number,
  count = 10_000,
  native: "x86_64" | "aarch64" = "x86_64",
): number {
  const nativeName = native === "x86_64" ? "SCMP_ARCH_X86_64" : "SCMP_ARCH_AARCH64";
  const theirs = oracle.compile(seccomp, native === "x86_64" ? undefined : nativeName);
  if (!(theirs instanceof Uint8Array)) {
    throw new Error(`libseccomp refuses the profile: ${theirs.error}`);
  }
  const { program } = compileSeccomp(seccomp, native);
  checkFilter(program);
  const { newest, numbers } = survey(oracle, seccomp, nativeName);
  const verdicts = new Set<number>();
  for (const call of randomCalls(seccomp, numbers, count, seed)) {
    const expected: number = isTooNew(call, newest) ? ENOSYS : runFilter(theirs, call);
    const verdict = runFilter(program, call);
    verdicts.add(verdict);
    if (verdict !== expected) {
      expect.fail(
        `seed ${seed}: ${describe(call)}: ${verdict.toString(16)}, not ${expected.toString(16)}\n${json(seccomp)}`,
      );
    }
  }
  return verdicts.size;
}

function describe({ number, arch, args }: Call): string {
  return `call ${number} of ${arch.toString(16)} (${args.map((arg) => `0x${arg.toString(16)}`).join(", ")})`;
}

/** Fails unless our filter says of `count` calls of x86_64 and x32 what the specification asks: where rules of several actions hold, what one of them says. */
export function compareWithSpecification(
  oracle: Libseccomp,
  seccomp: Seccomp,
  seed: number,
  count = 10_000,
): void {
  const { program } = compileSeccomp(seccomp, "x86_64");
  checkFilter(program);
  const { newest, numbers } = survey(oracle, seccomp, "SCMP_ARCH_X86_64");
  const names = {
    64: { bits: 64, bit: 0, names: oracle.table("SCMP_ARCH_X86_64") },
    32: { bits: 32, bit: X32_BIT, names: oracle.table("SCMP_ARCH_X32") },
  } as const;
  for (const call of randomCalls(seccomp, numbers, count, seed)) {
    const { bits, bit, names: table } = names[call.number >= X32_BIT ? 32 : 64];
    const name = table.get(call.number - bit);
    const skipped = bits === 32 && seccomp.architectures?.includes("SCMP_ARCH_X32") !== true;
    if (name === undefined || skipped || isTooNew({ ...call, arch: TOKENS.SCMP_ARCH_X86_64 }, newest)) {
      continue;
    }
    const verdict = runFilter(program, { ...call, arch: TOKENS.SCMP_ARCH_X86_64 });
    const possible = possibleVerdicts(seccomp, name, call.args, bits);
    if (!possible.has(verdict)) {
      const expected = [...possible].map((each) => each.toString(16)).join(" or ");
      expect.fail(
        `seed ${seed}: ${name}: ${describe(call)}: ${verdict.toString(16)}, not ${expected}\n${json(seccomp)}`,
      );
    }
  }
}

function json(seccomp: Seccomp): string {
  return JSON.stringify(seccomp, (_, value) => (typeof value === "bigint" ? `${value}n` : value));
}

/** The numbers that a profile names, by libseccomp's tables. */
function survey(oracle: Libseccomp, seccomp: Seccomp, native: ArchName) {
  const newest: Newest = {};
  const numbers: number[] = [];
  const names = seccomp.syscalls?.flatMap((entry) => entry.names) ?? [];
  for (const arch of new Set([native, ...(seccomp.architectures ?? [])])) {
    if (isArchName(arch)) {
      const ways =
        arch === "SCMP_ARCH_X86" ? names.map((name) => parseMultiplexers().get(name)?.name ?? name) : [];
      const named = new Set([...names, ...ways]);
      const known = [...oracle.table(arch)].filter(([, name]) => named.has(name)).map(([number]) => number);
      const base = arch === "SCMP_ARCH_X32" && known.length > 0 ? X32_BIT : 0;
      numbers.push(...known);
      newest[arch] = Math.max(0, ...known) + base;
    }
  }
  return { newest: /ALLOW|LOG|TRACE/.test(seccomp.defaultAction) ? {} : newest, numbers };
}

function isArchName(name: string): name is ArchName {
  return Object.hasOwn(TOKENS, name);
}

function isTooNew({ number, arch }: Call, newest: Newest): boolean {
  const x32 = arch === TOKENS.SCMP_ARCH_X86_64 && Math.floor(number / X32_BIT) % 2 === 1;
  const name = x32
    ? "SCMP_ARCH_X32"
    : (["SCMP_ARCH_X86_64", "SCMP_ARCH_X86", "SCMP_ARCH_AARCH64"] as const).find(
        (one) => TOKENS[one] === arch,
      );
  const last = name === undefined ? undefined : newest[name];
  // 0 stands for none.
  return last !== undefined && last > 0 && number > last;
}
