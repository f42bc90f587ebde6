import { ERRNO } from "./errno.ts";

/**
 * The error of every native op: one system call failed.
 * Its message reads `open /x: ENOENT: no such file or directory`.
 */
export class SysError extends Error {
  /** Symbolic errno, e.g. "ENOENT". */
  readonly code: string;
  /** Linux errno number; 0 when the op itself broke (code "EPANIC"). */
  readonly errno: number;
  /** Name of the system call (or of the op where it makes several). */
  readonly syscall: string;
  /** Path the call was about; "" when it was about none. */
  readonly path: string;

  /**
   * @param code symbolic errno; number and text come from {@link ERRNO} unless given
   * @param text the reason in words, strerror(3)'s by default
   */
  constructor(
    code: string,
    syscall: string,
    path = "",
    errno = ERRNO[code]?.[0] ?? 0,
    text = ERRNO[code]?.[1],
  ) {
    super(`${syscall}${path === "" ? "" : ` ${path}`}: ${code}${text === undefined ? "" : `: ${text}`}`);
    this.code = code;
    this.errno = errno;
    this.syscall = syscall;
    this.path = path;
  }

  override get name(): string {
    return "SysError";
  }
}

/** True for a {@link SysError} with one of the given codes; with none given, for any SysError. */
export function isSysError(error: unknown, ...codes: string[]): error is SysError {
  return error instanceof SysError && (codes.length === 0 || codes.includes(error.code));
}
