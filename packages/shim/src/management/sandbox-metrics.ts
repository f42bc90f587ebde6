import { AgentService } from "@kata-containers/protocols";
import {
  childrenOf,
  gauge,
  gauges,
  KataError,
  type Logger,
  netDeviceFigures,
  procBytes,
  processMetrics,
  type RpcDurations,
  readProc,
  readText,
} from "@kata-containers/sys";
import { isAlive, type Sandbox, type SandboxCgroups } from "@kata-containers/virtcontainers";
import { checkGuestMetrics, GUEST_MS } from "./guest-metrics.ts";
import { PodOverhead } from "./pod-overhead.ts";

export interface SandboxMetricsOrder {
  readonly sandbox: Sandbox;
  readonly cgroups: SandboxCgroups;
  /** Calls that this process has answered. */
  readonly shimRpcs: RpcDurations;
  /** Requests to the agent. */
  readonly agentRpcs: RpcDurations;
  readonly log: Logger;
}

/** A sandbox's figures in Prometheus's text format: families as Kata's documentation names them (kata-2-0-metrics.md). */
export class SandboxMetrics {
  readonly #order: SandboxMetricsOrder;
  readonly #overhead: PodOverhead;

  constructor(order: SandboxMetricsOrder) {
    this.#order = order;
    this.#overhead = new PodOverhead(order.sandbox, order.cgroups);
  }

  /** All there are: those of a guest that does not answer, or says what it must not, are left out. */
  async all(): Promise<string> {
    const texts = await Promise.all([
      this.host(),
      this.guest(GUEST_MS).catch((error) => this.#without(error)),
    ]);
    return texts.join("");
  }

  /** This process's, the VMM's and virtiofsd's. */
  async host(): Promise<string> {
    const { shimRpcs, agentRpcs } = this.#order;
    const overhead = await this.#overhead.metrics().catch((error) => this.#without(error));
    return [
      shimMetrics(),
      shimRpcs.metrics("kata_shim_rpc_durations_histogram_milliseconds"),
      agentRpcs.metrics("kata_shim_agent_rpc_durations_histogram_milliseconds"),
      overhead,
      this.#machineMetrics(),
    ].join("");
  }

  /**
   * The guest's own.
   * @param timeoutMs undefined: the configured `request_timeout`
   * @throws KataError Unavailable without a running VM; DeadlineExceeded; InvalidArgument when they are none
   */
  async guest(timeoutMs?: number): Promise<string> {
    const { metrics } = await this.#order.sandbox.agent().request(AgentService.GetMetrics, {}, timeoutMs);
    return checkGuestMetrics(metrics);
  }

  #machineMetrics(): string {
    const processes = this.#order.sandbox.machine?.processes ?? [];
    return processes
      .filter(({ identity }) => isAlive(identity))
      .map(({ name, identity: { pid } }) =>
        name === "qemu" ? hypervisorMetrics(pid) : processMetrics("kata_virtiofsd", workerOf(pid), ioName),
      )
      .join("");
  }

  #without(error: unknown): string {
    const { code, message } = KataError.from(error);
    // Without a VM there is nothing to tell.
    if (code !== "Unavailable") this.#order.log.warn("figures of the guest are missing", { reason: message });
    return "";
  }
}

function shimMetrics(): string {
  const smaps = readText("/proc/self/smaps_rollup");
  return [
    gauge("kata_shim_process_resident_memory_bytes", procBytes(smaps, "Rss")),
    gauge("kata_shim_process_proportional_memory_bytes", procBytes(smaps, "Pss")),
    processMetrics("kata_shim", "self", ioName),
  ].join("");
}

function hypervisorMetrics(pid: number): string {
  const devices = netDeviceFigures(readProc(`/proc/${pid}/net/dev`));
  return processMetrics("kata_hypervisor", pid, ioName) + gauges("kata_hypervisor_netdev", devices);
}

/** virtiofsd's first process may only wait for its child, which does the work. */
function workerOf(pid: number): number {
  const [child = pid] = childrenOf(pid);
  return child;
}

/** The host's families have the kernel's names without "_". */
function ioName(name: string): string {
  return name.replaceAll("_", "");
}
