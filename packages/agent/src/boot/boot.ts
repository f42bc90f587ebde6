import { isSysError, Logger, MAX_TEXT_BYTES, ops, readText } from "@kata-containers/sys";
import { type AgentOptions, parseCmdline } from "../options.ts";
import { KernelModules } from "./kernel-modules.ts";
import { bringLoopbackUp } from "./loopback.ts";
import {
  mountKernelFileSystems,
  mountLegacyCgroups,
  mountRuntimeFileSystems,
  mountUnifiedCgroups,
} from "./mounts.ts";
import { makeOwnRoot } from "./own-root.ts";
import { ensureStdio, openLog } from "./stdio.ts";
import { Uevents } from "./uevents.ts";

/** A guest that can be talked to. */
export interface BootedGuest {
  readonly options: AgentOptions;
  readonly modules: KernelModules;
  readonly uevents: Uevents;
  readonly log: Logger;
}

/**
 * The first half of PID 1's boot: what it takes to listen. The host waits for it, so nothing else is done here; the
 * rest is {@link finishBoot}'s.
 */
export function boot(): BootedGuest {
  makeOwnRoot();
  mountKernelFileSystems();
  ensureStdio();
  const { options, warnings } = parseCmdline(readText("/proc/cmdline", MAX_TEXT_BYTES));
  const log = new Logger({ fd: openLog(), level: options.logLevel, name: "kata-agent", source: "agent" });
  for (const warning of warnings) log.warn(warning, { subsystem: "cmdline" });
  const uevents = new Uevents();
  const modules = KernelModules.read();
  modules.loadBoot();
  return { options, modules, uevents, log };
}

/** The second half: what containers need. A step that fails is logged, because an agent that answers can still tell. */
export function finishBoot({ options, modules, log }: BootedGuest): void {
  const steps = {
    "session of its own": startSession,
    "mounts for containers": mountRuntimeFileSystems,
    cgroups: options.unifiedCgroups ? mountUnifiedCgroups : mountLegacyCgroups,
    loopback: bringLoopbackUp,
    ...Object.fromEntries(
      options.loadModules.map((name) => [`kernel module ${name}`, () => modules.load(name)]),
    ),
  };
  for (const [what, step] of Object.entries(steps)) {
    try {
      step();
    } catch (error) {
      log.error(`boot: ${what}: ${error instanceof Error ? error.message : String(error)}`);
    }
  }
}

/** A console's hangup or interrupt is not ours. */
function startSession(): void {
  try {
    ops.setsid();
  } catch (error) {
    // The kernel may have made PID 1 a session's leader.
    if (!isSysError(error, "EPERM")) throw error;
  }
}
