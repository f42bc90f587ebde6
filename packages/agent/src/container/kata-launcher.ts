import {
  type Compiled,
  type CompiledSeccomp,
  compileContainer,
  compileExec,
  entryPlaces,
  type HostFacts,
  type LaunchOptions,
  launch,
  pidsOf,
  readHostFacts,
  removeCgroup,
  subCgroups,
} from "@kata-containers/launch";
import type { Process, Spec } from "@kata-containers/oci";
import { type Logger, makePipe, ops, Undo } from "@kata-containers/sys";
import { KATA_LAUNCH, RUN } from "../paths.ts";
import type { LaunchedProcess } from "../process/guest-process.ts";
import { Pipes, terminalStreams } from "../process/stdio.ts";
import type { CreatedContainer, ExecOrder, Launcher } from "./launcher.ts";
import { MountNamespace } from "./mount-namespace.ts";
import { readOnlyProgram } from "./read-only-program.ts";

/** The descriptors of kata-launch behind its own: where the plan finds what it names. */
const EXTRA_FD = 5;

export interface KataLauncherOptions {
  readonly launchPath?: string;
  /** Bytes a stdio pipe holds. */
  readonly pipeSize: number;
  readonly log: Logger;
}

/** Starts processes by compiling a plan and having kata-launch execute it. */
export class KataLauncher implements Launcher {
  readonly #launchPath: string;
  readonly #pipeSize: number;
  readonly #log: Logger;
  /** Each container's own, for what is executed in it later. */
  readonly #compiled = new Map<string, Compiled & { readonly pid: number }>();
  #facts: HostFacts | undefined;
  #program: string | undefined;

  constructor({ launchPath = KATA_LAUNCH, pipeSize, log }: KataLauncherOptions) {
    this.#launchPath = launchPath;
    this.#pipeSize = pipeSize;
    this.#log = log;
  }

  async create(
    id: string,
    spec: Spec,
    seccomp: CompiledSeccomp | undefined,
    timeoutMs: number,
  ): Promise<CreatedContainer> {
    const startFd = EXTRA_FD;
    const compiled = compileContainer(spec, this.#hostFacts(), {
      id,
      bundle: `${RUN}/${id}`,
      startFd,
      ...(seccomp === undefined ? {} : { seccomp }),
    });
    for (const warning of compiled.warnings) this.#log.warn(warning, { container: id });
    await using undo = new Undo();
    const { read, write } = makePipe();
    using gate = read;
    const starter = undo.use(write);
    undo.defer(() => removeCgroups(compiled));
    const launched = await this.#launch(compiled.plan, spec.process, [{ from: gate.number, to: startFd }], {
      until: "ready",
      timeoutMs,
    });
    const mounts = new MountNamespace(launched.pid);
    undo.commit();
    this.#compiled.set(id, { ...compiled, pid: launched.pid });
    return {
      ...launched,
      start: () => {
        ops.writeSync(starter.number, Uint8Array.of(0));
        starter.close();
      },
      cgroups: compiled.cgroups,
      pids: () => compiled.cgroups.slice(0, 1).flatMap(({ directory }) => pidsOf(directory)),
      unmount: () => mounts.release(),
      destroy: () => {
        starter.close();
        this.#compiled.delete(id);
        removeCgroups(compiled);
      },
    };
  }

  async exec(
    id: string,
    spec: Spec,
    pidfd: number,
    { process, cgroups: wanted, timeoutMs }: ExecOrder,
  ): Promise<LaunchedProcess> {
    const { cgroups = [], pid = 0, seccomp } = this.#compiled.get(id) ?? {};
    const warnings: string[] = [];
    const plan = compileExec(spec, process, this.#hostFacts(), {
      warnings,
      containerPidfd: EXTRA_FD,
      cgroups: wanted.length === 0 ? entryPlaces(cgroups, pid) : subCgroups(cgroups, wanted),
      ...(seccomp === undefined ? {} : { seccomp }),
    });
    for (const warning of warnings) this.#log.warn(warning, { container: id });
    return this.#launch(plan, process, [{ from: pidfd, to: EXTRA_FD }], { until: "exec", timeoutMs });
  }

  async #launch(
    { parent, stage, init }: Compiled["plan"],
    process: Process | undefined,
    extra: readonly { from: number; to: number }[],
    wait: Pick<LaunchOptions, "until" | "timeoutMs">,
  ): Promise<LaunchedProcess> {
    const plan = { sealed: false, parent, stage, init };
    this.#program ??= readOnlyProgram(this.#launchPath);
    const launchPath = this.#program;
    if (process?.terminal === true) {
      const { pid, pidfd, console } = await launch(plan, { launchPath, fds: extra, ...wait });
      const master = console?.release() ?? -1;
      return { pid, pidfd: pidfd.release(), master, streams: terminalStreams(master) };
    }
    using pipes = new Pipes(this.#pipeSize);
    const { pid, pidfd } = await launch(plan, { launchPath, fds: [...pipes.fds, ...extra], ...wait });
    return { pid, pidfd: pidfd.release(), master: undefined, streams: pipes.streams() };
  }

  #hostFacts(): HostFacts {
    this.#facts ??= readHostFacts({
      rootIsInitramfs: false,
      // PID 1 has what the kernel has.
      ownCapabilities: 2 ** 53 - 1,
    });
    return this.#facts;
  }
}

function removeCgroups({ cgroups }: Compiled): void {
  for (const { directory } of cgroups) removeCgroup(directory);
}
