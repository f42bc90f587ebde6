import { KataError } from "@kata-containers/sys";

/** Ids name directories and cgroups: the file system's limit (NAME_MAX). */
export const MAX_ID_BYTES = 255;

/** As runc's libcontainer/factory_linux.go: word characters, plus, minus and dot. */
const ID = /^[\w+\-.]+$/;

/**
 * Checks a container id by runc's rules, and returns it.
 *
 * @throws KataError InvalidArgument, with runc's texts, which managers and their tests look for.
 */
export function validateContainerId(id: string): string {
  if (id === "") throw new KataError("InvalidArgument", "container id cannot be empty");
  if (id.length > MAX_ID_BYTES) {
    throw new KataError(
      "InvalidArgument",
      `invalid container ID format: ${id.length} bytes, the limit is ${MAX_ID_BYTES}`,
    );
  }
  if (!ID.test(id) || id === "." || id === "..") {
    throw new KataError(
      "InvalidArgument",
      `invalid container ID format: ${JSON.stringify(id)}: use letters, digits, "_", "+", "-" and "."`,
    );
  }
  return id;
}
