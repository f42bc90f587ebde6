/** "creating" is told to a seccomp listener alone: a container's record appears when its process waits for `start`. "paused" is runc's addition. */
export type Status = "creating" | "created" | "running" | "paused" | "stopped";

/** What `state` prints and hooks read on stdin: OCI runtime-spec, runtime.md, "State". */
export type State = {
  readonly ociVersion: string;
  readonly id: string;
  readonly status: Status;
  /** A host pid; required by the specification while created or running, none once stopped. */
  readonly pid?: number;
  readonly bundle: string;
  readonly annotations?: Readonly<Record<string, string>>;
};

/** The version of the specification that we implement. */
export const OCI_VERSION = "1.2.0";
