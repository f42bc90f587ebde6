import type { Seccomp } from "@kata-containers/oci";
import { isPermissive, NOTIFY, parseAction, type Verdict } from "./action.ts";
import { type NativeArch, parseArchitectures } from "./architecture.ts";
import { architectureCode, BAD_ARCHITECTURE } from "./architecture-code.ts";
import { BPF, BpfProgram } from "./bpf-program.ts";
import { parseFlags } from "./flags.ts";
import { refuse } from "./refuse.ts";
import { parseRules } from "./rule.ts";
import { RuleTable } from "./rule-table.ts";

/** offsetof(struct seccomp_data, arch), linux/seccomp.h */
const ARCH = 4;

export type CompiledSeccomp = {
  /** An array of struct sock_filter, little-endian, 8 bytes an instruction, at most 4096 of them. */
  readonly program: Uint8Array;
  /** The flags argument of seccomp(SECCOMP_SET_MODE_FILTER, …). */
  readonly flags: number;
  /** Some call is left to the listener: seccomp(2) returns a descriptor that must reach listenerPath. */
  readonly notify: boolean;
  /** Names that no architecture of the filter has; their rules are left out, as runc does. */
  readonly unknownSyscalls: readonly string[];
  /** Listed architectures of which we have no table; their calls get what those of an unlisted one get. */
  readonly unsupportedArchitectures: readonly string[];
};

/**
 * Compiles a profile as runc does with libseccomp: the filter gives the same verdict on every call. See README.md beside.
 * @param arch the machine the filter will run on
 * @throws KataError InvalidArgument naming the member of config.json that no filter can be made of
 */
export function compileSeccomp(seccomp: Seccomp, arch: NativeArch): CompiledSeccomp {
  const defaultVerdict = parseDefault(seccomp);
  const { architectures, unsupported } = parseArchitectures(seccomp.architectures ?? [], arch);
  const tables = architectures.map((architecture) => new RuleTable(architecture));
  const unknownSyscalls = addRules(seccomp, tables, defaultVerdict);
  const notify = parseNotify(seccomp);
  return {
    program: filter(tables, defaultVerdict, !isPermissive(seccomp.defaultAction)),
    flags: parseFlags(seccomp.flags, notify),
    notify,
    unknownSyscalls,
    unsupportedArchitectures: unsupported,
  };
}

function parseDefault(seccomp: Seccomp): Verdict {
  const { defaultAction, defaultErrnoRet } = seccomp;
  const verdict = parseAction(defaultAction, defaultErrnoRet, ".defaultAction", ".defaultErrnoRet");
  return verdict === NOTIFY ? refuse(".defaultAction", "SCMP_ACT_NOTIFY cannot be the default") : verdict;
}

/** Puts every rule into the tables of the architectures that have its calls; returns the names that none has. */
function addRules(seccomp: Seccomp, tables: readonly RuleTable[], defaultVerdict: Verdict): string[] {
  const unknown = new Set<string>();
  for (const [at, entry] of (seccomp.syscalls ?? []).entries()) {
    const path = `.syscalls[${at}]`;
    const verdict = parseAction(entry.action, entry.errnoRet, `${path}.action`, `${path}.errnoRet`);
    const rules = verdict === defaultVerdict ? [] : parseRules(entry, verdict, path);
    const empty = entry.names.indexOf("");
    if (empty !== -1) {
      refuse(`${path}.names[${empty}]`, "must not be empty");
    }
    for (const name of entry.names) {
      let known = false;
      for (const table of tables) {
        known = table.add(name, rules) || known;
      }
      if (!known) {
        unknown.add(name);
      }
    }
  }
  return [...unknown];
}

/** Whether calls are left to a listener; checks that one can be had. */
function parseNotify(seccomp: Seccomp): boolean {
  const noPath = (seccomp.listenerPath ?? "") === "";
  if (noPath && (seccomp.listenerMetadata ?? "") !== "") {
    refuse(".listenerMetadata", "must not be set without listenerPath");
  }
  const entries = seccomp.syscalls ?? [];
  const notifying = entries.findIndex((entry) => entry.action === "SCMP_ACT_NOTIFY");
  if (notifying === -1) {
    return false;
  }
  if (noPath) {
    refuse(".listenerPath", `must be set: syscalls[${notifying}].action is SCMP_ACT_NOTIFY`);
  }
  for (const [at, entry] of entries.entries()) {
    if (entry.action === "SCMP_ACT_NOTIFY" && entry.names.includes("write")) {
      // The launcher writes after the filter is there and before anybody listens: it would wait for ever.
      refuse(`.syscalls[${at}].names`, "SCMP_ACT_NOTIFY cannot be used for write");
    }
  }
  return true;
}

function filter(tables: readonly RuleTable[], defaultVerdict: Verdict, enosys: boolean): Uint8Array {
  const program = new BpfProgram();
  let code = program.returns(BAD_ARCHITECTURE);
  const audits = new Set(tables.map((table) => table.architecture.audit));
  for (const audit of [...audits].reverse()) {
    const ours = tables.filter((table) => table.architecture.audit === audit);
    const ofArchitecture = architectureCode(program, ours, defaultVerdict, enosys);
    code = program.branch(BPF.IF_EQUAL, audit, ofArchitecture, code);
  }
  return program.bytes(program.load(ARCH, code));
}
