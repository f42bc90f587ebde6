import { KataError, Logger, ops, runMain } from "@kata-containers/sys";
import { type Listener, type Server, serve } from "@kata-containers/ttrpc";
import { type BootedGuest, boot, finishBoot } from "./boot/boot.ts";
import { KernelModules } from "./boot/kernel-modules.ts";
import { findPciDevices } from "./boot/pci.ts";
import { Uevents } from "./boot/uevents.ts";
import { KataLauncher } from "./container/kata-launcher.ts";
import { listenOnUnix, listenOnVirtioPort, listenOnVsock, parseServerAddr } from "./listen.ts";
import { GuestNetwork } from "./network/guest-network.ts";
import { type AgentOptions, DEFAULT_OPTIONS, DEFAULT_PIPE_SIZE } from "./options.ts";
import { type ChildWaiter, pidfdWaiter, Reaper } from "./process/reaper.ts";
import { agentHandlers } from "./rpc/handlers.ts";
import { Hotplug } from "./sandbox/hotplug.ts";
import { Sandbox } from "./sandbox/sandbox.ts";
import { AGENT_VERSION } from "./version.ts";

/** A port's name arrives after its driver; on a loaded host under emulation that takes seconds. */
const PORT_TIMEOUT_MS = 30_000;

runMain(async (argv) => (ops.getpid() === 1 ? runAsInit() : runAsProcess(argv.slice(1))));

/** The guest's PID 1. */
async function runAsInit(): Promise<number> {
  const reaper = new Reaper();
  reaper.install();
  void reaper.run();
  const guest = boot();
  // A defect in one request must not end PID 1, and with it the guest.
  globalThis.__unhandledRejection = (reason) =>
    guest.log.error(`unhandled: ${KataError.from(reason).message}`);
  const listening = listen(guest);
  finishBoot(guest);
  const uevents = () => guest.uevents;
  const server = start(await listening, { ...guest, uevents, findDevices: findPciDevices, waiter: reaper });
  const bootMs = Math.round(ops.monotonicMs());
  // Nobody reads it but who looks for a fault: a line on the serial console costs an emulated guest two milliseconds.
  guest.log.debug("listening", { version: AGENT_VERSION, address: guest.options.serverAddr, bootMs });
  await server.closed;
  throw new KataError("Internal", `${guest.options.serverAddr} has ended`);
}

async function listen({ options, modules, uevents }: BootedGuest): Promise<Listener> {
  const { scheme, rest } = parseServerAddr(options.serverAddr);
  if (scheme === "unix") return listenOnUnix(rest);
  if (scheme === "vsock") return listenOnVsock(Number(rest.slice(rest.lastIndexOf(":") + 1)), modules);
  return listenOnVirtioPort(rest, uevents, PORT_TIMEOUT_MS);
}

/** An ordinary process on a machine that has booted already: for tests of the host's side. No mounts, no modules. */
async function runAsProcess(args: readonly string[]): Promise<number> {
  const [option, address, launchPath, ...more] = args;
  if (option !== "--server-addr" || address === undefined || more.length > 0) {
    throw new KataError("InvalidArgument", "usage: kata-agent --server-addr unix://PATH [KATA-LAUNCH]");
  }
  const { scheme, rest } = parseServerAddr(address);
  if (scheme !== "unix")
    throw new KataError("InvalidArgument", `server address ${address}: only unix:// off PID 1`);
  const log = new Logger({ fd: 2, name: "kata-agent", source: "agent" });
  const modules = new KernelModules({ boot: [], needs: {} });
  const server = start(listenOnUnix(rest), {
    options: DEFAULT_OPTIONS,
    modules,
    uevents: () => new Uevents(),
    findDevices: () => {},
    waiter: pidfdWaiter,
    log,
    launchPath,
  });
  log.info("listening", { version: AGENT_VERSION, address });
  await server.closed;
  return 0;
}

interface Parts {
  readonly options: AgentOptions;
  readonly modules: KernelModules;
  readonly uevents: () => Uevents;
  readonly findDevices: () => void;
  readonly waiter: ChildWaiter;
  readonly log: Logger;
  /** Of kata-launch, where it is not the image's. */
  readonly launchPath?: string | undefined;
}

function start(listener: Listener, parts: Parts): Server {
  const { options, modules, uevents, findDevices, waiter, log, launchPath } = parts;
  const pipeSize = options.containerPipeSize === 0 ? DEFAULT_PIPE_SIZE : options.containerPipeSize;
  const launcher = new KataLauncher({ pipeSize, log, ...(launchPath === undefined ? {} : { launchPath }) });
  const { hotplugTimeoutMs } = options;
  const hotplug = new Hotplug({ timeoutMs: hotplugTimeoutMs, uevents, findDevices });
  const sandbox = new Sandbox({ modules, launcher, waiter, devices: hotplug });
  const network = new GuestNetwork({ modules, hotplugTimeoutMs, devices: hotplug });
  return serve(listener, agentHandlers(sandbox, network, hotplug), {
    onConnectionError: (error) => log.warn(`connection ended: ${error.message}`),
  });
}
