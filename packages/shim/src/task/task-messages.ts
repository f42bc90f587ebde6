import type { Process } from "@kata-containers/oci";
import { type Any, RuntimeOptions } from "@kata-containers/protocols";
import { KataError } from "@kata-containers/sys";
import type { StdioPlaces } from "./task-stdio.ts";

// What containerd's requests hold.

export function placesOf({ stdin, stdout, stderr, terminal }: StdioPlaces): StdioPlaces {
  return { stdin, stdout, stderr, terminal };
}

export function withSize(spec: Process, { row, column }: { row: number; column: number }): Process {
  return { ...spec, consoleSize: { height: row, width: column } };
}

/** The runtime's options: of Kata's, as CRI and ctr give them, the configuration's path; those of other runtimes are not for us. */
export function configPathOf(options: Any | undefined): string {
  if (options === undefined || !options.typeUrl.endsWith("runtimeoptions.v1.Options")) return "";
  return RuntimeOptions.decode(options.value).configPath;
}

/** A part of the OCI specification, as containerd's typeurl sends it: JSON. */
export function jsonOf(any: Any | undefined, type: string): Uint8Array {
  if (any?.typeUrl.endsWith(`/${type}`)) return any.value;
  throw new KataError(
    "InvalidArgument",
    `type ${JSON.stringify(any?.typeUrl ?? "")}: an OCI ${type} is expected`,
  );
}

export function noCheckpoint(): KataError {
  return new KataError("Unimplemented", "checkpoints are not supported: a VM's container cannot be one");
}
