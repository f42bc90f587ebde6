import type { Process } from "@kata-containers/oci";
import { KataError } from "@kata-containers/sys";
import type { GuestProcess, ProcessExit } from "@kata-containers/virtcontainers";
import type { StdioPlaces, TaskStdio } from "./task-stdio.ts";

/** A terminal's size. */
export type Size = { readonly row: number; readonly column: number };

/** A process as containerd knows it: a container's first one, or one that Exec has described and Start runs. */
export class TaskProcess {
  /** "": the container's first one. */
  readonly execId: string;
  readonly places: StdioPlaces;
  readonly spec: Process | undefined;
  /** Resolves, never rejects, when it has ended, was it ever started or not. */
  readonly exited: Promise<ProcessExit>;
  /** Settles when a start that is under way has been answered: an exit is told after it. */
  starting: Promise<unknown> | undefined;
  /** Set before it is started. */
  size: Size | undefined;
  started = false;
  #exit: ProcessExit | undefined;
  #tellExit: (exit: ProcessExit) => void = () => {};
  #guest: GuestProcess | undefined;
  #stdio: TaskStdio | undefined;
  #stdinClosed = false;
  #drained: Promise<void> = Promise.resolve();

  /** @param spec of one that Exec has described */
  constructor(execId: string, places: StdioPlaces, spec?: Process) {
    this.execId = execId;
    this.places = places;
    this.spec = spec;
    this.exited = new Promise((resolve) => {
      this.#tellExit = resolve;
    });
  }

  get exit(): ProcessExit | undefined {
    return this.#exit;
  }

  /** The process in the guest; undefined while there is none. */
  get guest(): GuestProcess | undefined {
    return this.#guest;
  }

  /** It is in the guest now. */
  attach(guest: GuestProcess, stdio: TaskStdio): void {
    this.#guest = guest;
    this.#stdio = stdio;
    guest.exited.then((exit) => this.end(exit));
    this.#drained = guest.ended.then(() => stdio.ended());
    if (this.#stdinClosed) stdio.closeStdin();
  }

  /** Resolves when all that it has written has been taken, by a logger too. */
  get drained(): Promise<void> {
    return this.#drained;
  }

  /** It has ended, or never will have begun. The first time counts. */
  end(exit: ProcessExit): void {
    if (this.#exit !== undefined) return;
    this.#exit = exit;
    this.#tellExit(exit);
  }

  /** Its input ends; also of one that is being started: a client whose input is short says so before the start has been answered. */
  closeStdin(): void {
    this.#stdinClosed = true;
    this.#stdio?.closeStdin();
  }
}

/** A container as containerd knows it. */
export class Task {
  readonly id: string;
  readonly bundle: string;
  readonly init: TaskProcess;
  readonly execs = new Map<string, TaskProcess>();
  /** Settles when it has been made, or could not be. */
  making: Promise<void> | undefined;
  /** There is a container; before that, nobody but who makes it knows of it. */
  made = false;
  /** Nobody wants it any more: it is removed as soon as it has been made. */
  readonly abandon = new AbortController();
  /** Its removal, which several may ask for. */
  deleting: Promise<ProcessExit> | undefined;
  /** A pause is under way. */
  pausing = false;

  constructor(id: string, bundle: string, places: StdioPlaces) {
    this.id = id;
    this.bundle = bundle;
    this.init = new TaskProcess("", places);
  }

  /** @throws KataError NotFound */
  process(execId: string): TaskProcess {
    const process = execId === "" ? this.init : this.execs.get(execId);
    if (process === undefined) {
      throw new KataError("NotFound", `process "${execId}" of container "${this.id}" does not exist`);
    }
    return process;
  }
}
