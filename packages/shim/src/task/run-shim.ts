import { ContainerdRuntimeInfo, TaskDeleteResponse } from "@kata-containers/protocols";
import {
  COMMIT,
  environment,
  Logger,
  ops,
  RpcDurations,
  SIG,
  sleep,
  unlinkIfThere,
  VERSION,
} from "@kata-containers/sys";
import { STATUS_VM_DIED } from "@kata-containers/virtcontainers";
import { Lifetime } from "../daemon/lifetime.ts";
import { checkShimArguments, parseShimArguments, type ShimArguments } from "./arguments.ts";
import { readStartInput, startAnswer } from "./bootstrap.ts";
import { deleteShim } from "./delete-shim.ts";
import { eventHost } from "./event-host.ts";
import { eventSender } from "./event-sender.ts";
import { HostNamespaces } from "./host-namespaces.ts";
import { taskSocket } from "./places.ts";
import { EventPublisher } from "./publisher.ts";
import { serveTasks } from "./serve-tasks.ts";
import { openLogPipe, startShim, TASK_LISTENER } from "./start-shim.ts";
import { TaskControl } from "./task-control.ts";
import { TaskReporter } from "./task-reporter.ts";
import { TaskSandbox } from "./task-sandbox.ts";
import { TaskService } from "./task-service.ts";
import { Tasks } from "./tasks.ts";
import { timestampOf } from "./timestamp.ts";

const RUNTIME = "io.containerd.kata.v2";

/** How long a shim that nobody has called waits, ms: whoever started it may have died. */
const ORPHAN_MS = 60_000;
/** For the answer to Shutdown, which is on its way, ms. */
const LAST_ANSWER_MS = 5;
/** How long the last events may take to reach containerd, ms. */
const LAST_EVENTS_MS = 5_000;

const HELP = `usage: containerd-shim-kata-v2 [OPTIONS] start|delete

containerd's shim ${RUNTIME}: containerd calls it for each container (ctr run --runtime ${RUNTIME}).

  -namespace NAME       containerd's namespace
  -address PATH         containerd's socket
  -publish-binary PATH  program that publishes events, where TTRPC_ADDRESS is not set
  -id ID                the task's
  -bundle PATH          the bundle, when it is not the working directory
  -debug                a log of every step
  -info                 print what the shim is, as protobuf (ContainerdRuntimeInfo)
  -v, -version          print the version
`;

/** containerd's side of containerd-shim-kata-v2. @returns its exit status */
export async function runShim(argv: readonly string[]): Promise<number> {
  const args = parseShimArguments(argv);
  switch (args.verb) {
    case "help":
      print(HELP);
      return 0;
    case "version":
      print(`Kata Containers containerd shim: id: "${RUNTIME}", version: ${VERSION}, commit: ${COMMIT}\n`);
      return 0;
    case "info":
      print(ContainerdRuntimeInfo.encode({ name: RUNTIME, version: { version: VERSION, revision: COMMIT } }));
      return 0;
    default:
  }
  checkShimArguments(args);
  switch (args.verb) {
    case "start":
      print(startAnswer(args, await readStartInput(), await startShim(args)));
      return 0;
    case "delete":
      await deleteShim(args, (message) => ops.writeSync(2, ops.utf8Encode(`${message}\n`)));
      print(
        TaskDeleteResponse.encode({ exitStatus: STATUS_VM_DIED, exitedAt: timestampOf(ops.realtimeMs()) }),
      );
      return 0;
    case "serve":
      return await serveShim(args);
  }
}

/** From the first act of what `start` has started to its last. */
async function serveShim(args: ShimArguments): Promise<number> {
  const { namespace, address, id, debug } = args;
  const socket = taskSocket(address, namespace, id);
  const host = new HostNamespaces();
  const log = openContainerdLog(args);
  const lifetime = new Lifetime();
  const addresses = {
    ttrpc: environment("TTRPC_ADDRESS") ?? "",
    containerd: address,
    publishBinary: args.publishBinary,
  };
  const publisher = new EventPublisher(namespace, eventSender(addresses, eventHost(host), log), log);
  const shimRpcs = new RpcDurations();
  const sandbox = new TaskSandbox({ namespace, id, socket, debug, host, lifetime, shimRpcs, log });
  const reporter = new TaskReporter(publisher, ops.getpid());
  const tasks = new Tasks(sandbox);
  const leave = () => lifetime.end();
  const service = new TaskService(tasks, { namespace, host, sandbox, reporter, leave });
  const control = new TaskControl(tasks, sandbox, reporter);
  const server = serveTasks(TASK_LISTENER, { service, control }, lifetime, shimRpcs, log);
  const signals = ops.signalOpen([SIG.SIGTERM, SIG.SIGINT]);
  ops.signalRead(signals).then(
    () => lifetime.end(),
    () => {},
  );
  lifetime.endUnlessCalled(ORPHAN_MS);
  await lifetime.over;
  // First of all: the name may soon be that of another shim's.
  host.during(() => unlinkIfThere(socket));
  await sandbox.end();
  await publisher.flush(LAST_EVENTS_MS);
  publisher.close();
  await sleep(LAST_ANSWER_MS);
  server.close();
  return 0;
}

/** What containerd logs as its own. */
function openContainerdLog({ bundle, id, debug }: ShimArguments): Logger {
  const fd = openLogPipe(bundle ?? ".")?.release() ?? -1;
  return new Logger({ fd, level: debug ? "debug" : "warning", name: "containerd-shim-kata-v2", sandbox: id });
}

function print(what: string | Uint8Array): void {
  ops.writeSync(1, typeof what === "string" ? ops.utf8Encode(what) : what);
}
