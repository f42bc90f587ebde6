import { KataError } from "@kata-containers/sys";
import { child, type Place, refuse } from "./check.ts";
import { restoreSeccompArgs } from "./seccomp-args.ts";
import type { Process, Resources, Rlimit, Spec } from "./spec.ts";
import { processMembers, resourcesMembers, specMembers } from "./spec-members.ts";

/**
 * Reads a config.json: parsed, of the right shape, and free of what no runtime could do.
 *
 * @param source Its text or its bytes (UTF-8).
 * @param what The name that errors begin with: the file's path, or "config.json".
 * @throws KataError InvalidArgument: `config.json: process.args: must be a non-empty array of strings`.
 */
export function parseSpec(source: string | Uint8Array, what = "config.json"): Spec {
  const place: Place = { parent: undefined, key: what };
  const text = textOf(source);
  const spec = parseJson(text, place);
  restoreSeccompArgs(spec, text);
  if (!specMembers.test(spec, place)) return refuse(place, "is not a container configuration");
  checkNamespaces(spec, place);
  if (spec.process === undefined) return spec;
  return { ...spec, process: checkProcess(spec.process, child(place, "process")) };
}

/**
 * Reads a process (`exec --process`, CRI's and containerd's exec specs), as parseSpec does.
 *
 * @throws KataError InvalidArgument: `process.json: cwd: must be an absolute path`.
 */
export function parseProcess(source: string | Uint8Array, what = "process.json"): Process {
  const place: Place = { parent: undefined, key: what };
  const process = parseJson(textOf(source), place);
  if (!processMembers.test(process, place)) return refuse(place, "is not a process");
  return checkProcess(process, place);
}

/**
 * Reads linux.resources alone (`update --resources`), as parseSpec does.
 *
 * @throws KataError InvalidArgument: `resources.json: memory.limit: must be an integer`.
 */
export function parseResources(source: string | Uint8Array, what = "resources.json"): Resources {
  const place: Place = { parent: undefined, key: what };
  const resources = parseJson(textOf(source), place);
  if (!resourcesMembers.test(resources, place)) return refuse(place, "is not a set of resources");
  return resources;
}

function textOf(source: string | Uint8Array): string {
  return typeof source === "string" ? source : new TextDecoder("utf-8").decode(source);
}

function parseJson(text: string, place: Place): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    throw new KataError(
      "InvalidArgument",
      `${place.key}: is not JSON: ${error instanceof Error ? error.message : error}`,
    );
  }
}

function checkProcess(process: Process, at: Place): Process {
  if (process.args === undefined || process.args.length === 0) {
    refuse(child(at, "args"), "must be a non-empty array of strings");
  }
  process.env?.forEach((entry, index) => {
    if (entry.indexOf("=") < 1)
      refuse(child(child(at, "env"), index), `must be NAME=value, is ${JSON.stringify(entry)}`);
  });
  if (process.rlimits === undefined) return process;
  return { ...process, rlimits: checkRlimits(process.rlimits, child(at, "rlimits")) };
}

/** 2^63 and up cannot be told apart as JavaScript numbers, and mean RLIM_INFINITY (2^64 - 1) in practice. */
function checkRlimits(rlimits: readonly Rlimit[], at: Place): readonly Rlimit[] {
  const seen = new Set<string>();
  return rlimits.map(({ type, hard, soft }, index) => {
    if (seen.has(type)) refuse(child(at, index), `${type} is set twice`);
    seen.add(type);
    return { type, hard: hard >= 2 ** 63 ? -1 : hard, soft: soft >= 2 ** 63 ? -1 : soft };
  });
}

function checkNamespaces(spec: Spec, place: Place): void {
  const at = child(child(place, "linux"), "namespaces");
  const seen = new Set<string>();
  spec.linux?.namespaces?.forEach(({ type, path }, index) => {
    if (seen.has(type)) refuse(child(at, index), `namespace ${type} is there twice`);
    seen.add(type);
    if (path !== undefined && path !== "" && !path.startsWith("/")) {
      refuse(child(child(at, index), "path"), "must be an absolute path");
    }
  });
}
