import { AgentService } from "@kata-containers/protocols";
import { Fd, KataError, type Logger, O, ops } from "@kata-containers/sys";
import type { Agent, ProcessRef } from "./agent-client/agent.ts";
import { pumpInput, pumpOutput } from "./agent-client/stdio-pump.ts";

/** A process's streams on the host. Absent: /dev/null. Owned by the process from then on. */
export type ProcessStdio = {
  /** One stream for output, which is a terminal in the guest. */
  readonly terminal: boolean;
  readonly stdin: Fd | undefined;
  readonly stdout: Fd | undefined;
  readonly stderr: Fd | undefined;
};

export type ProcessExit = {
  /** As a shell counts: 128 + signal for a signalled process. */
  readonly status: number;
  /** Milliseconds since the epoch. */
  readonly atMs: number;
};

/** Status of a process whose VM died under it: as if it had been killed. */
export const STATUS_VM_DIED = 137;

/** A process in the guest, and its streams here. */
export class GuestProcess {
  readonly ref: ProcessRef;
  readonly terminal: boolean;
  /** Pid of the kata-shim that stands for it; 0: none does. */
  hostPid = 0;
  /** Resolves, never rejects, when the process has ended and its output was written. */
  readonly ended: Promise<ProcessExit>;
  /** Resolves, never rejects, when it has ended; its output may still be on its way, for as long as nobody reads it. */
  readonly exited: Promise<ProcessExit>;
  readonly #agent: Agent;
  readonly #log: Logger;
  readonly #stdio: ProcessStdio;
  #finish: (exit: ProcessExit) => void = () => {};
  #tellExit: (exit: ProcessExit) => void = () => {};
  /** What the agent said of its end. */
  #status: ProcessExit | undefined;
  #exit: ProcessExit | undefined;

  constructor(ref: ProcessRef, stdio: ProcessStdio, agent: Agent, log: Logger) {
    this.ref = ref;
    this.terminal = stdio.terminal;
    this.#agent = agent;
    this.#log = log;
    this.#stdio = stdio;
    this.ended = new Promise((resolve) => {
      this.#finish = resolve;
    });
    this.exited = new Promise((resolve) => {
      this.#tellExit = resolve;
    });
  }

  get exit(): ProcessExit | undefined {
    return this.#exit;
  }

  /** Begins to move the streams and to wait for the end. To be called once the agent knows the process. */
  attach(): void {
    const { stdin, stdout, stderr, terminal } = this.#stdio;
    const outputs = [this.#output("stdout", stdout)];
    if (!terminal) outputs.push(this.#output("stderr", stderr));
    if (stdin === undefined) this.#agent.request(AgentService.CloseStdin, this.ref).catch(() => {});
    else pumpInput(this.#agent, this.ref, stdin.number).catch((error) => this.#note("stdin", error));
    const status = this.#agent
      .request(AgentService.WaitProcess, this.ref, Infinity)
      .then((answer) => this.#noteStatus(answer.status));
    Promise.all([status, ...outputs]).then(
      ([exit]) => this.end(exit.status),
      (error: unknown) => {
        this.#note("wait", error);
        this.end(STATUS_VM_DIED);
      },
    );
  }

  /** Declares the process ended: releases its streams, tells whoever waits. Without effect the second time. */
  end(status: number): void {
    if (this.#exit !== undefined) return;
    this.#exit = this.#noteStatus(status);
    this.release();
    this.#finish(this.#exit);
  }

  /** The first that is said counts. The guest says it, and may be hostile: what no process can end with is 255. */
  #noteStatus(status: number): ProcessExit {
    const possible = Number.isInteger(status) && status >= 0 && status <= 255;
    this.#status ??= { status: possible ? status : 255, atMs: Math.round(ops.realtimeMs()) };
    this.#tellExit(this.#status);
    return this.#status;
  }

  /** Closes the streams; a caller waits for their end of file. */
  release(): void {
    this.#stdio.stdin?.close();
    this.#stdio.stdout?.close();
    this.#stdio.stderr?.close();
  }

  async #output(name: "stdout" | "stderr", fd: Fd | undefined): Promise<void> {
    const sink = fd ?? new Fd(ops.open("/dev/null", O.WRONLY | O.CLOEXEC, 0));
    try {
      await pumpOutput(this.#agent, name, this.ref, sink.number);
    } catch (error) {
      this.#note(name, error);
    } finally {
      sink.close();
    }
  }

  #note(stream: string, error: unknown): void {
    if (this.#exit !== undefined) return;
    this.#log.debug("stream ended", { stream, exec: this.ref.execId, reason: KataError.from(error).message });
  }
}
