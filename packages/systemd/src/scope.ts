import { exists, KataError } from "@kata-containers/sys";
import { BusConnection, BusError } from "./dbus/connection.ts";
import type { Value } from "./dbus/value.ts";
import type { ScopeName } from "./scope-name.ts";
import { type Property, scopeProperties } from "./scope-properties.ts";

/** sd_booted(3): there when systemd is the init system. */
const RUNNING = "/run/systemd/system";
const BUS = "/run/dbus/system_bus_socket";
/** systemd answers in milliseconds; it may be busy with a boot. */
const TIMEOUT_MS = 30_000;

const SYSTEMD = "org.freedesktop.systemd1";
const MANAGER_PATH = "/org/freedesktop/systemd1";
const MANAGER = "org.freedesktop.systemd1.Manager";
const manager = { destination: SYSTEMD, path: MANAGER_PATH, interface: MANAGER };
const JOB_REMOVED = `type='signal',sender='${SYSTEMD}',path='${MANAGER_PATH}',interface='${MANAGER}',member='JobRemoved'`;

/** @throws KataError FailedPrecondition, in runc's words, where systemd is not the init system: it makes no scope there */
export function checkSystemd(): void {
  if (!exists(RUNNING))
    throw new KataError(
      "FailedPrecondition",
      "systemd not running on this host, cannot use systemd cgroups manager",
    );
}

/**
 * Makes a transient scope with one process in it, and waits until it is there.
 *
 * @param limits further properties, see {@link limitProperties}, {@link limitPropertiesV1}
 * @throws KataError AlreadyExists, Unavailable (no message bus), DeadlineExceeded, Internal: systemd's own words
 */
export async function startScope(
  scope: ScopeName,
  description: string,
  pid: number,
  limits: readonly Property[],
): Promise<void> {
  const properties = [...scopeProperties(description, scope.slice, pid), ...limits];
  try {
    await runJob("StartTransientUnit", "ssa(sv)a(sa(sv))", [scope.unit, "fail", properties, []]);
  } catch (error) {
    if (error instanceof BusError && error.errorName === `${SYSTEMD}.UnitExists`)
      throw new KataError(
        "AlreadyExists",
        `systemd has a unit ${scope.unit} already: give linux.cgroupsPath another name`,
      );
    throw KataError.from(error, `cannot make the scope ${scope.unit}`);
  }
}

/** Stops a scope, with what is left in it; none of that name is as good. @throws as {@link startScope} */
export async function stopScope(unit: string): Promise<void> {
  try {
    await runJob("StopUnit", "ss", [unit, "replace"]);
  } catch (error) {
    if (error instanceof BusError && error.errorName === `${SYSTEMD}.NoSuchUnit`) return;
    throw KataError.from(error, `cannot stop the scope ${unit}`);
  }
}

/** Changes the limits of a scope, until it ends. @throws as {@link startScope} */
export async function changeScope(unit: string, limits: readonly Property[]): Promise<void> {
  if (limits.length === 0) return;
  try {
    using bus = await BusConnection.open(BUS, TIMEOUT_MS);
    await bus.call({
      ...manager,
      member: "SetUnitProperties",
      signature: "sba(sv)",
      body: [unit, true, limits],
    });
  } catch (error) {
    throw KataError.from(error, `cannot change the limits of the scope ${unit}`);
  }
}

/** Calls a method that makes a job, and waits for the job's end. */
async function runJob(member: string, signature: string, body: readonly Value[]): Promise<void> {
  using bus = await BusConnection.open(BUS, TIMEOUT_MS);
  await bus.call({
    ...{
      destination: "org.freedesktop.DBus",
      path: "/org/freedesktop/DBus",
      interface: "org.freedesktop.DBus",
    },
    ...{ member: "AddMatch", signature: "s", body: [JOB_REMOVED] },
  });
  // Without a subscriber systemd sends no signals.
  await bus.call({ ...manager, member: "Subscribe", signature: "", body: [] });
  const [job] = await bus.call({ ...manager, member, signature, body });
  const { body: ended } = await bus.signal(
    (signal) => signal.member === "JobRemoved" && signal.body[1] === job,
  );
  const result = ended[3];
  if (result !== "done")
    throw new KataError(
      "Internal",
      `${member}: the job ended with ${JSON.stringify(result)} (see journalctl)`,
    );
}
