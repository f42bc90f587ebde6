import type { IoPriority, Process, Scheduler, Spec } from "@kata-containers/oci";
import { entry } from "./entry.ts";
import type { Step } from "./plan.ts";
import { invalid } from "./refuse.ts";

/** Names of config.md, "LinuxProcess"; numbers: sched(7), linux/sched.h. */
const POLICIES: Readonly<Record<string, number>> = {
  SCHED_OTHER: 0,
  SCHED_FIFO: 1,
  SCHED_RR: 2,
  SCHED_BATCH: 3,
  SCHED_IDLE: 5,
  SCHED_DEADLINE: 6,
};

const FLAGS: Readonly<Record<string, number>> = {
  SCHED_FLAG_RESET_ON_FORK: 0x01,
  SCHED_FLAG_RECLAIM: 0x02,
  SCHED_FLAG_DL_OVERRUN: 0x04,
  SCHED_FLAG_KEEP_POLICY: 0x08,
  SCHED_FLAG_KEEP_PARAMS: 0x10,
  SCHED_FLAG_UTIL_CLAMP_MIN: 0x20,
  SCHED_FLAG_UTIL_CLAMP_MAX: 0x40,
};

/** linux/ioprio.h. */
const IO_CLASSES: Readonly<Record<string, number>> = {
  IOPRIO_CLASS_RT: 1,
  IOPRIO_CLASS_BE: 2,
  IOPRIO_CLASS_IDLE: 3,
};

/** Execution domains that have a meaning on x86-64 and arm64: linux/personality.h. */
const DOMAINS: Readonly<Record<string, number>> = { LINUX: 0, LINUX32: 8 };

/** Scheduling policy and I/O priority, set while the process has the right to. */
export function schedulingSteps({ scheduler, ioPriority }: Process): Step[] {
  return [
    ...(scheduler === undefined ? [] : [schedulerStep(scheduler)]),
    ...(ioPriority === undefined ? [] : [ioPriorityStep(ioPriority)]),
  ];
}

function schedulerStep(scheduler: Scheduler): Step {
  const at = "process.scheduler";
  const { nice = 0, priority = 0, runtime = 0, deadline = 0, period = 0 } = scheduler;
  const flags = (scheduler.flags ?? []).reduce(
    (sum, name, index) => sum | number(FLAGS, name, `${at}.flags[${index}]`),
    0,
  );
  const check = (key: string, value: number, least: number, most: number) => {
    if (value < least || value > most)
      invalid(`${at}.${key}`, `is not a number from ${least} to ${most}: ${value}`);
  };
  check("nice", nice, -20, 19);
  check("priority", priority, 0, 99);
  // 2^63 ns and more are the kernel's to refuse, but a number that JavaScript has rounded is no longer what was asked for.
  for (const [key, value] of Object.entries({ runtime, deadline, period }))
    check(key, value, 0, Number.MAX_SAFE_INTEGER);
  const policy = number(POLICIES, scheduler.policy, `${at}.policy`);
  return { op: "scheduler", policy, flags, nice, priority, runtime, deadline, period };
}

function ioPriorityStep({ class: name, priority }: IoPriority): Step {
  const at = "process.ioPriority";
  if (priority < 0 || priority > 7) invalid(`${at}.priority`, `is not a number from 0 to 7: ${priority}`);
  return { op: "io_priority", class: number(IO_CLASSES, name, `${at}.class`), priority };
}

export function personalitySteps(spec: Spec): Step[] {
  const { domain, flags = [] } = spec.linux?.personality ?? {};
  if (domain === undefined) return [];
  // "Currently no flag values are supported" (config-linux.md, "Personality").
  if (flags.length > 0) invalid("linux.personality.flags", `unknown flag ${JSON.stringify(flags[0])}`);
  return [{ op: "personality", persona: number(DOMAINS, domain, "linux.personality.domain") }];
}

/**
 * The CPUs of a process that is executed in a container: `initial` until it is in the container's cgroups, `final` from then on,
 * or else all that these allow (config.md, "execCPUAffinity").
 */
export function affinitySteps({ execCPUAffinity = {} }: Process, when: "initial" | "final"): Step[] {
  const list = execCPUAffinity[when];
  if (list) {
    const where = `process.execCPUAffinity.${when}`;
    const cpus = parseCpus(list) ?? invalid(where, `is not a list of CPUs: ${JSON.stringify(list)}`);
    return [{ op: "affinity", cpus }];
  }
  return when === "final" && execCPUAffinity.initial ? [{ op: "affinity", cpus: [] }] : [];
}

/** No machine has more; a list may name each of them, and no other. */
const MAX_CPUS = 8192;

/** "0-3,7": cpuset(7), "List format". undefined: it is none. */
export function parseCpus(list: string): number[] | undefined {
  const cpus = new Set<number>();
  for (const part of list.split(",")) {
    const [, first = "", last = first] = /^\s*(\d+)(?:-(\d+))?\s*$/.exec(part) ?? [];
    const [from, to] = [Number(first), Number(last)];
    if (first === "" || from > to || to >= MAX_CPUS) return undefined;
    for (let cpu = from; cpu <= to; cpu++) cpus.add(cpu);
  }
  return [...cpus];
}

function number(names: Readonly<Record<string, number>>, name: string, where: string): number {
  return (
    entry(names, name) ??
    invalid(where, `${JSON.stringify(name)} is not one of ${Object.keys(names).join(", ")}`)
  );
}
