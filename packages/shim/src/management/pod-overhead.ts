import { AgentService } from "@kata-containers/protocols";
import { gauge, KataError, ops } from "@kata-containers/sys";
import {
  type Agent,
  type Hierarchy,
  hostHierarchies,
  type Sandbox,
  type SandboxCgroups,
} from "@kata-containers/virtcontainers";
import { GUEST_MS } from "./guest-metrics.ts";

/** What control groups count. */
export interface Usage {
  readonly cpuNs: number;
  readonly memoryBytes: number;
}

/** Containers' use in the guest, by id. */
type GuestUsage = ReadonlyMap<string, Usage>;

interface Reading {
  readonly atMs: number;
  readonly host: Usage;
  readonly guest: GuestUsage;
}

/** What a sandbox takes on the host beyond what its containers take in the guest. */
export class PodOverhead {
  readonly #sandbox: Sandbox;
  readonly #cgroups: SandboxCgroups;
  /** At first the sandbox's beginning, when nothing had been used. */
  #last: Reading;

  constructor(sandbox: Sandbox, cgroups: SandboxCgroups) {
    this.#sandbox = sandbox;
    this.#cgroups = cgroups;
    this.#last = { atMs: ops.monotonicMs(), host: NOTHING, guest: new Map() };
  }

  /**
   * Upstream's families: memory now, and CPU since the last call, percent of one CPU.
   * @throws KataError when the guest does not tell
   */
  async metrics(): Promise<string> {
    const host = hostUsage(this.#cgroups, hostHierarchies());
    const guest = await guestUsage(this.#sandbox);
    const reading: Reading = { atMs: ops.monotonicMs(), host, guest };
    const last = this.#last;
    this.#last = reading;
    return (
      gauge("kata_shim_pod_overhead_cpu", cpuOverhead(last, reading)) +
      gauge("kata_shim_pod_overhead_memory_in_bytes", memoryOverhead(reading))
    );
  }
}

const NOTHING: Usage = { cpuNs: 0, memoryBytes: 0 };

/** A container that is there no more took an unknown part of the time: it is not deducted. */
export function cpuOverhead(last: Reading, now: Reading): number {
  const elapsedNs = (now.atMs - last.atMs) * 1e6;
  if (elapsedNs <= 0) return 0;
  let ns = now.host.cpuNs - last.host.cpuNs;
  for (const [id, { cpuNs }] of now.guest) ns -= Math.max(0, cpuNs - (last.guest.get(id)?.cpuNs ?? 0));
  return (ns / elapsedNs) * 100;
}

function memoryOverhead({ host, guest }: Reading): number {
  return [...guest.values()].reduce((bytes, each) => bytes - each.memoryBytes, host.memoryBytes);
}

/** Of the VM and of the daemon. What no controller counts is 0. */
export function hostUsage({ sandbox, daemon }: SandboxCgroups, hierarchies: readonly Hierarchy[]): Usage {
  // On a hybrid host v2's has no controllers: v1's go first.
  const ordered = [...hierarchies].sort((a, b) => a.version - b.version);
  const first = (path: string, read: (hierarchy: Hierarchy, path: string) => number | undefined): number => {
    for (const each of ordered) {
      const figure = read(each, each.mount + path);
      if (figure !== undefined) return figure;
    }
    return 0;
  };
  return {
    cpuNs: first(sandbox, cpuNs) + first(daemon, cpuNs),
    memoryBytes: first(sandbox, memoryBytes) + first(daemon, memoryBytes),
  };
}

function cpuNs({ version, controllers }: Hierarchy, directory: string): number | undefined {
  if (version === 1) return controllers.includes("cpuacct") ? figure(directory, "cpuacct.usage") : undefined;
  const micros = /^usage_usec (\d+)$/m.exec(text(directory, "cpu.stat"))?.[1];
  return micros === undefined ? undefined : Number(micros) * 1000;
}

function memoryBytes({ version, controllers }: Hierarchy, directory: string): number | undefined {
  if (version === 2) return figure(directory, "memory.current");
  return controllers.includes("memory") ? figure(directory, "memory.usage_in_bytes") : undefined;
}

function figure(directory: string, name: string): number | undefined {
  const content = text(directory, name).trim();
  return /^\d+$/.test(content) ? Number(content) : undefined;
}

/** "" when there is none. */
function text(directory: string, name: string): string {
  return ops.readTexts(directory, [name], 4096)[0] ?? "";
}

/** @throws KataError Unavailable, DeadlineExceeded */
async function guestUsage(sandbox: Sandbox): Promise<GuestUsage> {
  const agent = sandbox.agent();
  const live = sandbox.containers().filter(({ status }) => status !== "creating" && status !== "stopped");
  const usages = await Promise.all(
    live.map(async ({ id }) => [id, await containerUsage(agent, id)] as const),
  );
  return new Map(usages);
}

/** One that the agent does not know any more has ended meanwhile. */
async function containerUsage(agent: Agent, containerId: string): Promise<Usage> {
  try {
    const { cgroupStats } = await agent.request(AgentService.StatsContainer, { containerId }, GUEST_MS);
    return {
      cpuNs: Number(cgroupStats?.cpuStats?.cpuUsage?.totalUsage ?? 0),
      memoryBytes: Number(cgroupStats?.memoryStats?.usage?.usage ?? 0),
    };
  } catch (error) {
    const { code } = KataError.from(error);
    if (code === "Unavailable" || code === "DeadlineExceeded") throw error;
    return NOTHING;
  }
}
