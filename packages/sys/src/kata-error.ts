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
   * Turns anything caught into a KataError: itself when it is one, a SysError by its errno, anything else as Internal. Of a
   * SuppressedError the first failure is the reason, and what then could not be released is told behind it.
   * @param doing what was being done, put in front of the message: "cannot start VM"
   */
  static from(caught: unknown, doing = ""): KataError {
    const front = doing === "" ? "" : `${doing}: `;
    if (caught instanceof KataError) {
      return doing === "" ? caught : new KataError(caught.code, front + caught.message, { cause: caught });
    }
    if (isSuppressedError(caught)) {
      const first = KataError.from(caught.suppressed, doing);
      const then = KataError.from(caught.error).message;
      return new KataError(first.code, `${first.message}; and then: ${then}`, { cause: caught.suppressed });
    }
    const code = caught instanceof SysError ? (OF_ERRNO[caught.code] ?? "Internal") : "Internal";
    const message = caught instanceof Error ? caught.message : String(caught);
    return new KataError(code, front + message, { cause: caught });
  }
}

/**
 * Whether a `using` declaration's release failed while another failure was on its way. Told by its name: the class is not in
 * every engine, and the bundler has one of its own.
 */
export function isSuppressedError(
  caught: unknown,
): caught is Error & { readonly error: unknown; readonly suppressed: unknown } {
  return (
    caught instanceof Error &&
    caught.name === "SuppressedError" &&
    "error" in caught &&
    "suppressed" in caught
  );
}
