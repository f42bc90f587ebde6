import { type CgroupPlace, pidsOf } from "@kata-containers/launch";
import type { ExitStatus, KataError } from "@kata-containers/sys";
import type { CreatedContainer, Launcher } from "../container/launcher.ts";
import type { LaunchedProcess } from "../process/guest-process.ts";
import { Input } from "../process/input.ts";
import { Output } from "../process/output.ts";
import type { ChildWaiter } from "../process/reaper.ts";

/** Children that end when a test says so. */
export class FakeWaiter implements ChildWaiter {
  readonly #ends = new Map<number, (status: ExitStatus) => void>();

  wait(pid: number): Promise<ExitStatus> {
    return new Promise((resolve) => this.#ends.set(pid, resolve));
  }

  expect(): Disposable {
    return { [Symbol.dispose]: () => {} };
  }

  end(status: ExitStatus): void {
    this.#ends.get(status.pid)?.(status);
    this.#ends.delete(status.pid);
  }
}

/** Starts nothing: hands out pids from 100 up and notes what was asked. */
export class FakeLauncher implements Launcher {
  readonly log: string[] = [];
  cgroups: readonly CgroupPlace[] = [];
  failNext: KataError | undefined;
  /** What every start waits for. */
  gate: Promise<void> = Promise.resolve();
  #pid = 100;

  async create(id: string): Promise<CreatedContainer> {
    this.#mayFail();
    await this.gate;
    this.log.push(`create ${id}`);
    return {
      ...this.#process(),
      start: () => this.log.push(`start ${id}`),
      cgroups: this.cgroups,
      pids: () => this.cgroups.flatMap(({ directory }) => pidsOf(directory)),
      unmount: async () => void this.log.push(`unmount ${id}`),
      destroy: () => this.log.push(`destroy ${id}`),
    };
  }

  async exec(id: string): Promise<LaunchedProcess> {
    this.#mayFail();
    await this.gate;
    this.log.push(`exec in ${id}`);
    return this.#process();
  }

  #process(): LaunchedProcess {
    const pid = this.#pid++;
    const streams = { input: new Input(3, "pipe"), stdout: new Output(4, 1024), stderr: new Output(5, 1024) };
    return { pid, pidfd: pid, master: undefined, streams };
  }

  #mayFail(): void {
    const error = this.failNext;
    this.failNext = undefined;
    if (error !== undefined) throw error;
  }
}
