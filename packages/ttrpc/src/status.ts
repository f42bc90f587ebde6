import type { Init, Status } from "@kata-containers/protocols";
import { KataError, STATUS, type StatusName } from "@kata-containers/sys";

/** Longest error text that is sent. */
const MAX_MESSAGE_CHARS = 16_384;

const NAMES = new Map(Object.entries(STATUS).map(([name, code]): [number, string] => [code, name]));

function isStatusName(name: string): name is StatusName {
  return name in STATUS;
}

/** What a response says of something a handler threw. */
export function statusOf(caught: unknown): Init<Status> {
  const error = KataError.from(caught);
  return { code: STATUS[error.code] || STATUS.Unknown, message: error.message.slice(0, MAX_MESSAGE_CHARS) };
}

/** The error that a response's status stands for. */
export function errorOf(status: Status): KataError {
  const name = NAMES.get(status.code) ?? "Unknown";
  return new KataError(isStatusName(name) ? name : "Unknown", status.message);
}
