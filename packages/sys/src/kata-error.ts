import { SysError } from "./sys-error.ts";

/** Status codes by gRPC's names and numbers (grpc/status.proto), as ttRPC carries them. */
export const STATUS = {
  OK: 0,
  Canceled: 1,
  Unknown: 2,
  InvalidArgument: 3,
  DeadlineExceeded: 4,
  NotFound: 5,
  AlreadyExists: 6,
  PermissionDenied: 7,
  ResourceExhausted: 8,
  FailedPrecondition: 9,
  Aborted: 10,
  OutOfRange: 11,
  Unimplemented: 12,
  Internal: 13,
  Unavailable: 14,
  DataLoss: 15,
  Unauthenticated: 16,
} as const;

export type StatusName = keyof typeof STATUS;

const OF_ERRNO: Readonly<Record<string, StatusName>> = {
  ENOENT: "NotFound",
  ESRCH: "NotFound",
  EEXIST: "AlreadyExists",
  EACCES: "PermissionDenied",
  EPERM: "PermissionDenied",
  EROFS: "FailedPrecondition",
  EBUSY: "FailedPrecondition",
  ENOTEMPTY: "FailedPrecondition",
  EINVAL: "InvalidArgument",
  ENAMETOOLONG: "InvalidArgument",
  ENOSPC: "ResourceExhausted",
  ENOMEM: "ResourceExhausted",
  EMFILE: "ResourceExhausted",
  EDQUOT: "ResourceExhausted",
  ENOSYS: "Unimplemented",
  ENOTSUP: "Unimplemented",
  ETIMEDOUT: "DeadlineExceeded",
  ECONNREFUSED: "Unavailable",
  ECONNRESET: "Unavailable",
  ENOTCONN: "Unavailable",
  EPIPE: "Unavailable",
  ECANCELED: "Canceled",
};

/** The one error that crosses our borders: it becomes a ttRPC status, an exit status, a log line. Its message is one line: what failed, on what, why, what to do. */
export class KataError extends Error {
  readonly code: StatusName;

  constructor(code: StatusName, message: string, options?: { cause?: unknown }) {
    super(message, options);
    this.code = code;
  }

  override get name(): string {
    return "KataError";
  }

  /**
   * Turns anything caught into a KataError: itself when it is one, a SysError by its errno, anything else as Internal.
   * @param doing what was being done, put in front of the message: "cannot start VM"
   */
  static from(caught: unknown, doing = ""): KataError {
    const front = doing === "" ? "" : `${doing}: `;
    if (caught instanceof KataError) {
      return doing === "" ? caught : new KataError(caught.code, front + caught.message, { cause: caught });
    }
    const code = caught instanceof SysError ? (OF_ERRNO[caught.code] ?? "Internal") : "Internal";
    const message = caught instanceof Error ? caught.message : String(caught);
    return new KataError(code, front + message, { cause: caught });
  }
}
