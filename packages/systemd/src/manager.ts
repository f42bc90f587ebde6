import { environment, exists, KataError } from "@kata-containers/sys";
import { BusConnection } from "./dbus/connection.ts";

/** sd_booted(3): there when systemd is the init system. */
const RUNNING = "/run/systemd/system";
const SYSTEM_BUS = "/run/dbus/system_bus_socket";
/** systemd answers in milliseconds; it may be busy with a boot. */
const TIMEOUT_MS = 30_000;

export const SYSTEMD = "org.freedesktop.systemd1";
export const MANAGER_PATH = "/org/freedesktop/systemd1";
export const MANAGER = "org.freedesktop.systemd1.Manager";

/** A systemd that makes scopes: the host's, or a user's own, which each user has who has logged in. */
export type Manager = {
  /** Path of its message bus's socket. */
  readonly bus: string;
};

/** @throws KataError FailedPrecondition, in runc's words, where systemd is not the init system: it makes no scope there */
export function hostManager(): Manager {
  if (!exists(RUNNING))
    throw new KataError(
      "FailedPrecondition",
      "systemd not running on this host, cannot use systemd cgroups manager",
    );
  return { bus: SYSTEM_BUS };
}

/**
 * That of the user whose environment is ours, as runc finds it: at DBUS_SESSION_BUS_ADDRESS, else in XDG_RUNTIME_DIR.
 * @throws KataError FailedPrecondition where there is none, InvalidArgument for an address of another kind
 */
export function userManager(): Manager {
  hostManager();
  const address = environment("DBUS_SESSION_BUS_ADDRESS") ?? "";
  const directory = environment("XDG_RUNTIME_DIR") ?? "";
  const bus = address === "" ? directory && `${directory}/bus` : pathOf(address);
  if (bus === "" || !exists(bus))
    throw new KataError(
      "FailedPrecondition",
      `no message bus of this user's systemd${bus && ` at ${bus}`}: log in (loginctl enable-linger USER), set XDG_RUNTIME_DIR, or use the cgroupfs driver`,
    );
  return { bus };
}

/** D-Bus Specification, "Server Addresses": "unix:path=/run/user/1000/bus,guid=0f", of which there may be several. */
function pathOf(addresses: string): string {
  for (const address of addresses.split(";")) {
    const path = /^unix:(?:[^,]*,)*path=([^,]+)/.exec(address)?.[1];
    if (path !== undefined) return path.replaceAll(/%([0-9a-fA-F]{2})/g, (_, hex) => charOf(hex));
  }
  throw new KataError(
    "InvalidArgument",
    `DBUS_SESSION_BUS_ADDRESS ${JSON.stringify(addresses)}: expected unix:path=...`,
  );
}

const charOf = (hex: string) => String.fromCharCode(Number.parseInt(hex, 16));

/** @throws KataError Unavailable, Unauthenticated */
export function connectTo({ bus }: Manager): Promise<BusConnection> {
  return BusConnection.open(bus, TIMEOUT_MS);
}

/**
 * The cgroup that its units are below: "" of the host's, "/user.slice/user-1000.slice/user@1000.service" of a user's.
 * @throws KataError Unavailable, DeadlineExceeded, Internal: systemd's own words
 */
export async function rootCgroup(manager: Manager): Promise<string> {
  using bus = await connectTo(manager);
  const [value] = await bus.call({
    ...{ destination: SYSTEMD, path: MANAGER_PATH, interface: "org.freedesktop.DBus.Properties" },
    ...{ member: "Get", signature: "ss", body: [MANAGER, "ControlGroup"] },
  });
  const cgroup = typeof value === "object" && "value" in value ? value.value : undefined;
  if (typeof cgroup !== "string" || !isPath(cgroup))
    throw new KataError("Internal", "systemd does not tell its control group");
  return cgroup;
}

/** As the kernel has it, so that what is below it can be told from what is not. */
const isPath = (path: string) => path === "" || /^(\/[^/]+)+$/.test(path);
