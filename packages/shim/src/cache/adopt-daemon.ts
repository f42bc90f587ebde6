import { type KataConfig, readHostSize } from "@kata-containers/config";
import { AT, deadline, Fd, isSysError, KataError, OPEN_TREE, ops } from "@kata-containers/sys";
import {
  createFileStore,
  obstacleToAdoption,
  savedConfigPath,
  vmSize,
} from "@kata-containers/virtcontainers";
import {
  checkReady,
  createTimeoutMs,
  type DaemonOrder,
  type DaemonProcess,
  daemonProcess,
  killAndWait,
} from "../client/daemon-process.ts";
import { cacheKey, obstacleToCache } from "./cache-key.ts";
import { connectCache } from "./connect-cache.ts";
import { ControlSocket, closeAll, type Message, takeFds } from "./control-socket.ts";

/** For what is answered at once, ms. */
const ANSWER_MS = 5_000;

const ENDED = "its daemon has ended";

/** Why a sandbox gets no daemon of the cache. */
interface None {
  readonly none: string;
}

/** A daemon of the cache, which has its VM already; or why there is none for the sandbox: its own is started then. */
export type TakenDaemon = DaemonProcess | None;

interface IdleDaemon {
  readonly control: ControlSocket;
  readonly pidfd: Fd;
}

/**
 * Takes an idle daemon of the cache for a sandbox, instead of starting one.
 * @throws KataError when one has begun to become the sandbox's, and failed: the record is not as it was
 */
export async function adoptDaemon(order: DaemonOrder): Promise<TakenDaemon> {
  const idle = await takeFitting(order);
  if ("none" in idle) return idle;
  const { control, pidfd } = idle;
  const none = await offer(idle, order);
  if (none !== undefined) {
    control[Symbol.dispose]();
    await killAndWait(pidfd);
    return { none };
  }
  const process = daemonProcess(readyOf(control, order.config), pidfd);
  // The scope would be gone if whoever is in it left before somebody else has come.
  if (order.scoped) await readyOrDead(process);
  return process;
}

async function readyOrDead(process: DaemonProcess): Promise<void> {
  try {
    await process.ready;
  } catch (error) {
    await process.kill();
    throw error;
  }
}

/** Nothing but the cache has changed when there is none. */
async function takeFitting(order: DaemonOrder): Promise<IdleDaemon | None> {
  try {
    const obstacle = obstacleTo(order);
    return obstacle === undefined ? await takeIdle(order.config) : { none: obstacle };
  } catch (error) {
    return { none: `${order.config.factory.vm_cache_endpoint}: ${KataError.from(error).message}` };
  }
}

function obstacleTo({ config, root, id, networkNamespace }: DaemonOrder): string | undefined {
  const first = vmSize(config, readHostSize(), []);
  const { size = first } = createFileStore(root).load(id);
  return obstacleToCache(config) ?? obstacleToAdoption(config, { size, networkNamespace }, first);
}

async function takeIdle(config: KataConfig): Promise<IdleDaemon | None> {
  const server = await connectCache(config);
  if (server === undefined) return { none: "nobody serves it (kata-runtime factory init)" };
  using _ = server;
  await server.send({ take: cacheKey(config) });
  const answer = await server.receiveWithin(ANSWER_MS, "its server");
  if (answer === undefined) return { none: "its server has ended" };
  const fds = takeFds(answer, 2);
  const [control, pidfd] = fds;
  if (control !== undefined && pidfd !== undefined) return { control: new ControlSocket(control), pidfd };
  closeAll(fds);
  const { none } = answer.message;
  return { none: typeof none === "string" ? none : "its server gives none" };
}

/**
 * Tells an idle daemon what it becomes.
 * @returns why it does not, and has touched nothing; undefined: it does, and the sandbox's record is its to change from now on
 */
async function offer(idle: IdleDaemon, order: DaemonOrder): Promise<string | undefined> {
  try {
    await sendOffer(idle.control, order);
    const answer = await answerOf(idle);
    if (answer === undefined) return ENDED;
    if (answer.adopting === true) return undefined;
    return typeof answer.error === "string" ? answer.error : "its daemon gave an answer that is none";
  } catch (error) {
    return isSysError(error, "EPIPE") ? ENDED : KataError.from(error).message;
  }
}

async function sendOffer(control: ControlSocket, order: DaemonOrder): Promise<void> {
  const { id, root, config, debug, networkNamespace, listener, orphanSeconds } = order;
  using rootTree = new Fd(ops.openTree(AT.FDCWD, root, OPEN_TREE.CLONE | OPEN_TREE.CLOEXEC));
  const network = networkNamespace === undefined ? [] : [networkNamespace.number];
  const sandbox = {
    id,
    root,
    config: savedConfigPath(root, id),
    debug: debug || config.runtime.enable_debug,
  };
  const patience = orphanSeconds === undefined ? {} : { orphanSeconds };
  const fds = [listener.number, rootTree.number, ...network];
  await control.send({ adopt: { ...sandbox, ...patience } }, fds);
}

/** One that is late is dead when this resolves: what it has said until then counts, and nothing follows. */
async function answerOf({ control, pidfd }: IdleDaemon): Promise<Message | undefined> {
  const answer = control.receive();
  try {
    const why = `its daemon said nothing within ${ANSWER_MS / 1000} s`;
    return (await deadline(answer, ANSWER_MS, () => new KataError("DeadlineExceeded", why)))?.message;
  } catch (error) {
    await killAndWait(pidfd);
    const last = await answer;
    if (last === undefined) throw error;
    return last.message;
  }
}

async function readyOf(control: ControlSocket, config: KataConfig): Promise<void> {
  using _ = control;
  const answer = await control.receiveWithin(createTimeoutMs(config), "the sandbox's daemon");
  checkReady(answer?.message);
}
