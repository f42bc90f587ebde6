import type * as oci from "@kata-containers/oci";
import { KataError } from "@kata-containers/sys";

/**
 * Members of the runtime-spec 1.2 that oci.proto of kata-containers 3.2.0 has no field for, and that hold in a guest. They go beside
 * the message, as a JSON object of path to value: `{"linux.personality":{"domain":"LINUX32"}}`.
 */
const PATHS: readonly string[] = [
  "process.scheduler",
  "process.ioPriority",
  "linux.personality",
  "linux.timeOffsets",
  "linux.resources.unified",
  "linux.resources.cpu.burst",
  "linux.resources.cpu.idle",
  "linux.resources.memory.checkBeforeUpdate",
  "linux.resources.memory.useHierarchy",
];

/** A spec, or a part of one that has these members. */
type Part = Partial<Pick<oci.Spec, "process" | "linux">>;

/** What `specToGrpc`, `processToGrpc` and `resourcesToGrpc` leave out; "" when that is nothing. */
export function restOf(part: Part): string {
  const rest = PATHS.map((path) => [path, path.split(".").reduce(memberOf, part)] as const);
  const said = rest.filter(([, value]) => value !== undefined);
  return said.length === 0 ? "" : JSON.stringify(Object.fromEntries(said));
}

/**
 * The part with what `restOf` has made of it.
 * @throws KataError InvalidArgument on anything else
 */
export function withRest<T extends Part>(part: T, json: string): T {
  if (json === "") {
    return part;
  }
  return Object.entries(parse(json)).reduce((whole, [path, value]) => {
    if (!PATHS.includes(path)) {
      throw new KataError("InvalidArgument", `rest of the spec: ${JSON.stringify(path)} is no member of it`);
    }
    return withMember(whole, path.split("."), value) as T;
  }, part);
}

function parse(json: string): object {
  try {
    const rest: unknown = JSON.parse(json);
    if (isObject(rest)) {
      return rest;
    }
  } catch {
    // As anything else that is no object.
  }
  throw new KataError("InvalidArgument", "rest of the spec: no JSON object");
}

function memberOf(value: unknown, name: string): unknown {
  return isObject(value) ? Object.entries(value).find(([key]) => key === name)?.[1] : undefined;
}

function withMember(value: unknown, [name = "", ...names]: readonly string[], member: unknown): object {
  const inner = names.length === 0 ? member : withMember(memberOf(value, name), names, member);
  return { ...(isObject(value) ? value : {}), [name]: inner };
}

function isObject(value: unknown): value is object {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
