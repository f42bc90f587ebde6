import { parseResources } from "@kata-containers/oci";
import type {
  MetricsRequest,
  MetricsResponse,
  NextEventRequest,
  NextEventResponse,
  PauseRequest,
  PsRequest,
  PsResponse,
  ResumeRequest,
  StatsRequest,
  StatsResponse,
  UpdateRequest,
} from "@kata-containers/protocols";
import { KataError, ops } from "@kata-containers/sys";
import {
  containerStats,
  guestProcesses,
  hostPids,
  pauseContainer,
  resumeContainer,
  type Sandbox,
  updateContainer,
} from "@kata-containers/virtcontainers";
import type { SandboxMetrics } from "../management/sandbox-metrics.ts";

/** The half of the Daemon service that looks at a container and changes what it may use. */
export class ControlService {
  readonly #sandbox: Sandbox;
  readonly #metrics: SandboxMetrics;

  constructor(sandbox: Sandbox, metrics: SandboxMetrics) {
    this.#sandbox = sandbox;
    this.#metrics = metrics;
  }

  async pause({ id }: PauseRequest): Promise<Record<string, never>> {
    await pauseContainer(this.#sandbox, id);
    return {};
  }

  async resume({ id }: ResumeRequest): Promise<Record<string, never>> {
    await resumeContainer(this.#sandbox, id);
    return {};
  }

  async update({ id, resourcesJson }: UpdateRequest): Promise<Record<string, never>> {
    await updateContainer(this.#sandbox, id, parseResources(resourcesJson, "resources"));
    return {};
  }

  async ps({ id, details }: PsRequest): Promise<PsResponse> {
    const pids = hostPids(this.#sandbox, id, ops.getpid());
    const processesJson = details ? await guestProcesses(this.#sandbox, id) : new Uint8Array();
    return { pids, processesJson };
  }

  async stats({ id }: StatsRequest): Promise<StatsResponse> {
    return { stats: await containerStats(this.#sandbox, id) };
  }

  /** All figures of the sandbox, its guest's too: they are what is asked for. */
  async metrics({ id }: MetricsRequest): Promise<MetricsResponse> {
    this.#sandbox.container(id);
    const texts = await Promise.all([this.#metrics.host(), this.#metrics.guest()]);
    return { metrics: texts.join("") };
  }

  /** Waits for news of a container, or its end. @param cancelled resolves when the caller is gone */
  async nextEvent(
    { id, oomsSeen, atOnce }: NextEventRequest,
    cancelled: Promise<void>,
  ): Promise<NextEventResponse> {
    const init = this.#sandbox.container(id).init;
    if (init === undefined)
      throw new KataError("FailedPrecondition", `container with id ${id} is not running`);
    const ended = () => init.exit !== undefined;
    const { ooms } = this.#sandbox;
    const count = atOnce ? ooms.count(id) : await ooms.next(id, oomsSeen, ended, cancelled);
    return { ooms: count, ended: ended() };
  }
}
