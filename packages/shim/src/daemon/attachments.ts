import { deadline, KataError } from "@kata-containers/sys";
import type { GuestProcess } from "@kata-containers/virtcontainers";

type Meeting = {
  readonly shim: Promise<number>;
  readonly process: Promise<GuestProcess>;
  arrive(pid: number): void;
  offer(process: GuestProcess): void;
};

/** Milliseconds that either side waits for the other. */
export type MeetingTimes = {
  /** A process for its kata-shim. */
  readonly shimMs: number;
  /** A kata-shim for its process, which may wait for a VM to boot. */
  readonly processMs: number;
};

/**
 * Where a process and the kata-shim that will stand for it meet; either may come first. Whoever leaves before the
 * other has come takes the meeting along: the next pair of the same name meets anew.
 */
export class Attachments {
  readonly #meetings = new Map<string, Meeting>();
  readonly #times: MeetingTimes;

  constructor(times: MeetingTimes) {
    this.#times = times;
  }

  /** Meetings that wait for one of their sides. */
  get waiting(): number {
    return this.#meetings.size;
  }

  /** The process is there. @returns the pid of its kata-shim. @throws KataError DeadlineExceeded */
  async offer(key: string, process: GuestProcess): Promise<number> {
    const meeting = this.#meeting(key);
    meeting.offer(process);
    try {
      return await deadline(meeting.shim, this.#times.shimMs, () =>
        late("no kata-shim came to stand for the process"),
      );
    } finally {
      this.#forget(key, meeting);
    }
  }

  /**
   * A kata-shim is there.
   * @param gone resolves when it has left again: its caller gave up, because the process could not be made
   * @returns its process
   * @throws KataError DeadlineExceeded, Canceled when it is gone
   */
  async attach(key: string, pid: number, gone: Promise<void>): Promise<GuestProcess> {
    const meeting = this.#meeting(key);
    meeting.arrive(pid);
    const left = gone.then((): never => {
      throw new KataError("Canceled", "kata-shim left before its process was created");
    });
    try {
      return await deadline(Promise.race([meeting.process, left]), this.#times.processMs, () =>
        late("the process was not created"),
      );
    } finally {
      this.#forget(key, meeting);
    }
  }

  #meeting(key: string): Meeting {
    const known = this.#meetings.get(key);
    if (known !== undefined) return known;
    let arrive: (pid: number) => void = () => {};
    let offer: (process: GuestProcess) => void = () => {};
    const shim = new Promise<number>((resolve) => {
      arrive = resolve;
    });
    const process = new Promise<GuestProcess>((resolve) => {
      offer = resolve;
    });
    const meeting: Meeting = { shim, process, arrive, offer };
    this.#meetings.set(key, meeting);
    return meeting;
  }

  /** A later meeting of the same name is not this one's to end. */
  #forget(key: string, meeting: Meeting): void {
    if (this.#meetings.get(key) === meeting) this.#meetings.delete(key);
  }
}

function late(what: string): KataError {
  return new KataError("DeadlineExceeded", `${what} in time (runtime.vm_start_timeout)`);
}
