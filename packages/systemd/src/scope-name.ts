import { KataError } from "@kata-containers/sys";

/** A scope, by linux.cgroupsPath: "slice:prefix:name". */
export type ScopeName = {
  /** The slice that it is in: "system.slice"; "-.slice" is the root. */
  readonly slice: string;
  /** The unit: "docker-0123.scope". */
  readonly unit: string;
  /** Its cgroup, from the hierarchy's root: "/system.slice/docker-0123.scope". */
  readonly path: string;
};

/** Where a manager makes scopes. */
export type ScopePlace = {
  /** The manager's own cgroup, which all its slices are below: "" or a path. */
  readonly root: string;
  /** The slice of a scope that names none. */
  readonly slice: string;
};

const HOST: ScopePlace = { root: "", slice: "system.slice" };
const ROOT_SLICE = "-.slice";
/** systemd.unit(5): what a unit's name may be, up to 255 characters. */
const UNIT = /^[A-Za-z0-9:_.\\@-]{1,255}$/;

/** Whether linux.cgroupsPath is systemd's: of three parts, none of which is a path. */
export function isScopeName(cgroupsPath: string): boolean {
  return /^[^/:]*:[^/:]*:[^/:]*$/.test(cgroupsPath);
}

/**
 * Without --systemd-cgroup, linux.cgroupsPath is a path.
 * @param bundle its directory, for the error
 * @throws KataError InvalidArgument
 */
export function refuseScopeName(cgroupsPath: string | undefined, bundle: string): void {
  if (!isScopeName(cgroupsPath ?? "")) return;
  throw new KataError(
    "InvalidArgument",
    `${bundle}/config.json: linux.cgroupsPath: ${cgroupsPath} is a systemd name, which --systemd-cgroup is for`,
  );
}

/**
 * Reads linux.cgroupsPath as runc's systemd driver does. Absent: the id's scope, with the given prefix, in the place's slice.
 *
 * @throws KataError InvalidArgument
 */
export function parseScopeName(
  cgroupsPath: string | undefined,
  id: string,
  prefix: string,
  place: ScopePlace = HOST,
): ScopeName {
  const asked = cgroupsPath ? cgroupsPath : `${place.slice}:${prefix}:${id}`;
  if (!isScopeName(asked))
    throw invalid(
      asked,
      'expected "slice:prefix:name" for systemd cgroups: leave --systemd-cgroup out for a path',
    );
  const [slice = "", scopePrefix = "", name = ""] = asked.split(":");
  if (name.endsWith(".slice")) throw invalid(asked, "a slice holds no processes: give the name of a scope");
  const within = slice === "" ? place.slice : slice;
  const unit = scopePrefix === "" ? `${name}.scope` : `${scopePrefix}-${name}.scope`;
  if (name === "" || !UNIT.test(unit)) throw invalid(asked, `${JSON.stringify(unit)} is no name of a unit`);
  return { slice: within, unit, path: `${place.root}${slicePath(within, asked)}/${unit}` };
}

/** "a-b.slice" is in "a.slice", which is in the root (systemd.slice(5)). */
function slicePath(slice: string, asked: string): string {
  if (slice === ROOT_SLICE) return "";
  const name = slice.slice(0, -".slice".length);
  const parts = name.split("-");
  if (!slice.endsWith(".slice") || !UNIT.test(slice) || parts.includes(""))
    throw invalid(asked, `${JSON.stringify(slice)} is no name of a slice`);
  return parts.map((_, index) => `/${parts.slice(0, index + 1).join("-")}.slice`).join("");
}

function invalid(asked: string, why: string): KataError {
  return new KataError("InvalidArgument", `linux.cgroupsPath ${JSON.stringify(asked)}: ${why}`);
}
