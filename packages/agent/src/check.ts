import { validateContainerId } from "@kata-containers/oci";
import { KataError } from "@kata-containers/sys";
import { RUN } from "./paths.ts";

const invalid = (message: string) => new KataError("InvalidArgument", message);

/** A container id as a request gives it. Throws KataError InvalidArgument. */
export function checkContainerId(id: string): string {
  try {
    validateContainerId(id);
  } catch (error) {
    throw invalid(`container_id: ${error instanceof Error ? error.message : String(error)}`);
  }
  return id;
}

/** An exec id: the rules of a container id. Throws KataError InvalidArgument. */
export function checkExecId(id: string): string {
  if (!/^[\w+.-]{1,255}$/.test(id) || id === "." || id === "..")
    throw invalid(`exec_id: ${JSON.stringify(id)} is not an id`);
  return id;
}

/**
 * A path below {@link RUN}: absolute, without "..", "." or empty members, so that no request reaches the agent's own files.
 * @param what the request's field, for the error
 * @throws KataError InvalidArgument
 */
export function checkRunPath(path: string, what: string): string {
  const trimmed = path.replace(/\/+$/, "");
  const members = trimmed.split("/").slice(1);
  const plain = members.every(
    (member) => member !== "" && member !== "." && member !== ".." && !member.includes("\0"),
  );
  if (!trimmed.startsWith(`${RUN}/`) || !plain || trimmed.length > 4000) {
    throw invalid(`${what}: ${JSON.stringify(path)} is not a plain path below ${RUN}`);
  }
  return trimmed;
}

/** A signal number of this kernel, 0 (only a check) not among them. Throws KataError InvalidArgument. */
export function checkSignal(signal: number): number {
  if (!Number.isInteger(signal) || signal < 1 || signal > 64)
    throw invalid(`signal: ${signal} is not between 1 and 64`);
  return signal;
}
