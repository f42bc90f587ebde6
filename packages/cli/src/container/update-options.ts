import { parseResources, type Resources } from "@kata-containers/oci";
import { KataError, MAX_TEXT_BYTES, ops } from "@kata-containers/sys";
import { parseByteSize } from "../byte-size.ts";
import type { Option, Values } from "../command.ts";
import { absolutePath } from "../paths.ts";

/** A limit's option and the member of linux.resources that it sets. */
interface Limit extends Option {
  readonly value: string;
  readonly path: readonly [keyof Resources, string];
  readonly kind: "bytes" | "unsigned" | "signed" | "text";
}

/** runc's options. Those that a VM cannot have are refused by the daemon, as they are in a file. */
export const limitOptions = {
  "cpu-period": limit("USEC", ["cpu", "period"], "unsigned", "period of the CPU quota"),
  "cpu-quota": limit("USEC", ["cpu", "quota"], "signed", "CPU time in a period; -1: no limit"),
  "cpu-share": limit("N", ["cpu", "shares"], "unsigned", "CPU time relative to others (2 to 262144)"),
  "cpu-rt-period": limit("USEC", ["cpu", "realtimePeriod"], "unsigned", "real-time period"),
  "cpu-rt-runtime": limit("USEC", ["cpu", "realtimeRuntime"], "signed", "real-time share of a period"),
  "cpuset-cpus": limit("LIST", ["cpu", "cpus"], "text", "refused: the host's CPUs are not the VM's"),
  "cpuset-mems": limit("LIST", ["cpu", "mems"], "text", "refused: the host's memory nodes are not the VM's"),
  memory: limit("SIZE", ["memory", "limit"], "bytes", "memory (512m, 1g, bytes); -1: no limit"),
  "memory-reservation": limit("SIZE", ["memory", "reservation"], "bytes", "memory kept when it is scarce"),
  "memory-swap": limit("SIZE", ["memory", "swap"], "bytes", "memory and swap together; -1: no limit"),
  "kernel-memory": limit("SIZE", ["memory", "kernel"], "bytes", "refused: Linux has no such limit any more"),
  "kernel-memory-tcp": limit("SIZE", ["memory", "kernelTCP"], "bytes", "TCP buffers (cgroup v1 guests)"),
  "pids-limit": limit("N", ["pids", "limit"], "signed", "number of processes; -1: no limit"),
  "blkio-weight": limit("N", ["blockIO", "weight"], "unsigned", "refused: the VM has no block devices"),
} as const;

/** What no container in a VM can have, whatever its value. */
export const refusedOptions = {
  "l3-cache-schema": { value: "SCHEMA", help: "refused: Intel RDT is the host's" },
  "mem-bw-schema": { value: "SCHEMA", help: "refused: Intel RDT is the host's" },
} as const;

export const resourcesOption = {
  resources: {
    short: "r",
    value: "FILE",
    help: "the limits as JSON (OCI's linux.resources), - for standard input",
  },
} as const;

type UpdateOptions = typeof limitOptions & typeof refusedOptions & typeof resourcesOption;

/**
 * The limits that are asked for, by options or by a file.
 * @throws KataError InvalidArgument when there are none, or both; Unimplemented for Intel RDT
 */
export async function wantedResources(values: Values<UpdateOptions>): Promise<Resources> {
  for (const name of ["l3-cache-schema", "mem-bw-schema"] as const) {
    if (values[name] !== undefined)
      throw new KataError(
        "Unimplemented",
        `cannot update ${name}: Intel RDT is the host's, and the VM has none`,
      );
  }
  const texts = new Map<string, unknown>(Object.entries(values));
  const given = Object.entries(limitOptions).flatMap(([name, option]) => {
    const text = texts.get(name);
    return typeof text === "string" ? [{ name, option, text }] : [];
  });
  if (values.resources === undefined) {
    if (given.length === 0) throw wrong("nothing to change: give --resources FILE or a limit");
    return fromOptions(given);
  }
  if (given[0] !== undefined) throw wrong(`--resources and --${given[0].name} exclude each other`);
  return fromFile(values.resources);
}

function fromOptions(given: readonly { name: string; option: Limit; text: string }[]): Resources {
  const resources: Record<string, Record<string, number | string>> = {};
  for (const { name, option, text } of given) {
    const [group, member] = option.path;
    resources[group] = { ...resources[group], [member]: readValue(name, option, text) };
  }
  // Through the parser of files: one place that says what resources are.
  return parseResources(JSON.stringify(resources), "update");
}

const EXPECTED = { bytes: "a size (512m, 1g, bytes, -1)", unsigned: "a number", signed: "a number, or -1" };

function readValue(name: string, { kind }: Limit, text: string): number | string {
  if (kind === "text") return text;
  const integer = /^-?\d{1,15}$/.test(text) ? Number(text) : undefined;
  const number = kind === "bytes" ? parseByteSize(text) : integer;
  if (number === undefined || (kind === "unsigned" && number < 0)) {
    throw wrong(`invalid value for ${name}: ${JSON.stringify(text)} is not ${EXPECTED[kind]}`);
  }
  return number;
}

async function fromFile(file: string): Promise<Resources> {
  if (file === "-") return parseResources(await readStdin(), "standard input");
  const path = absolutePath(file);
  try {
    return parseResources(ops.readFile(path, MAX_TEXT_BYTES), path);
  } catch (error) {
    throw KataError.from(error, "cannot read the resources");
  }
}

/** To its end; it may be a pipe, a socket or a terminal. */
async function readStdin(): Promise<string> {
  let text = "";
  while (text.length < MAX_TEXT_BYTES) {
    const bytes = await ops.read(0, 64 << 10);
    if (bytes.length === 0) return text;
    // Resources are ASCII: a character cut in two is wrong anyway.
    text += ops.utf8Decode(bytes);
  }
  throw wrong(`standard input: more than ${MAX_TEXT_BYTES} bytes`);
}

function limit(value: string, path: Limit["path"], kind: Limit["kind"], help: string): Limit {
  return { value, path, kind, help };
}

function wrong(message: string): KataError {
  return new KataError("InvalidArgument", `update: ${message}`);
}
