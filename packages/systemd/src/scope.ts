import { KataError } from "@kata-containers/sys";
import { BusError } from "./dbus/connection.ts";
import type { Value } from "./dbus/value.ts";
import { connectTo, MANAGER, MANAGER_PATH, type Manager, SYSTEMD } from "./manager.ts";
import type { ScopeName } from "./scope-name.ts";
import { type Property, scopeProperties } from "./scope-properties.ts";

const calls = { destination: SYSTEMD, path: MANAGER_PATH, interface: MANAGER };
const JOB_REMOVED = `type='signal',sender='${SYSTEMD}',path='${MANAGER_PATH}',interface='${MANAGER}',member='JobRemoved'`;

/**
 * Makes a transient scope with one process in it, and waits until it is there.
 *
 * @param further properties, see {@link limitProperties}, {@link limitPropertiesV1}, {@link annotatedProperties}; the last of a name counts
 * @throws KataError AlreadyExists, Unavailable (no message bus), DeadlineExceeded, Internal: systemd's own words
 */
export async function startScope(
  manager: Manager,
  scope: ScopeName,
  description: string,
  pid: number,
  further: readonly Property[],
): Promise<void> {
  const properties = [...scopeProperties(description, scope.slice, pid), ...further];
  try {
    await runJob(manager, "StartTransientUnit", "ssa(sv)a(sa(sv))", [scope.unit, "fail", properties, []]);
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
export async function stopScope(manager: Manager, unit: string): Promise<void> {
  try {
    await runJob(manager, "StopUnit", "ss", [unit, "replace"]);
  } catch (error) {
    if (error instanceof BusError && error.errorName === `${SYSTEMD}.NoSuchUnit`) return;
    throw KataError.from(error, `cannot stop the scope ${unit}`);
  }
}

/** Changes the limits of a scope, until it ends. @throws as {@link startScope} */
export async function changeScope(
  manager: Manager,
  unit: string,
  limits: readonly Property[],
): Promise<void> {
  if (limits.length === 0) return;
  try {
    using bus = await connectTo(manager);
    await bus.call({
      ...calls,
      member: "SetUnitProperties",
      signature: "sba(sv)",
      body: [unit, true, limits],
    });
  } catch (error) {
    throw KataError.from(error, `cannot change the limits of the scope ${unit}`);
  }
}

/** Calls a method that makes a job, and waits for the job's end. */
async function runJob(
  manager: Manager,
  member: string,
  signature: string,
  body: readonly Value[],
): Promise<void> {
  using bus = await connectTo(manager);
  await bus.call({
    ...{
      destination: "org.freedesktop.DBus",
      path: "/org/freedesktop/DBus",
      interface: "org.freedesktop.DBus",
    },
    ...{ member: "AddMatch", signature: "s", body: [JOB_REMOVED] },
  });
  // Without a subscriber systemd sends no signals.
  await bus.call({ ...calls, member: "Subscribe", signature: "", body: [] });
  const [job] = await bus.call({ ...calls, member, signature, body });
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
