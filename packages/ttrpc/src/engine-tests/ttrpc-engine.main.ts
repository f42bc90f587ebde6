// ttRPC on the product's own engine: what works with real descriptors, and how fast. See README.md for the figures.
//   ttrpc-engine test     exit status 0 when all is well
//   ttrpc-engine bench    prints calls a second and megabytes a second
// It starts itself as the server: `serve-unix` (descriptor 3: a listening socket), `serve-line` (descriptor 3: a line).
import { AgentService, Health } from "@kata-containers/protocols";
import { KataError, ops, runMain } from "@kata-containers/sys";
import {
  acceptSession,
  Bulk,
  bulk,
  type Client,
  connectUnix,
  createClient,
  fdTransport,
  Handlers,
  openSession,
  serialPort,
  serve,
  unixListener,
} from "../index.ts";

const SOCKET_STREAM = 1;
const O_RDONLY = 0;
const O_WRONLY = 1;
const O_CREAT_RDWR = 0o102;
const BLOCK_BYTES = 262_144;

/**
 * Version echoes; Check writes "passed" to the descriptor it gets; ReadStdout reads descriptor-less bytes of /dev/zero, or
 * of the file named by exec_id; WriteStdin writes to /dev/null, or to the file named by exec_id.
 */
function handlers(): Handlers {
  return new Handlers()
    .unary(Health.Version, ({ service }) => {
      if (service === "memory") return { agentVersion: `${ops.memoryUse().rssKb}` };
      return { agentVersion: service };
    })
    .unary(Health.Check, async (_, { fds }) => {
      const [fd] = fds;
      if (fd === undefined) throw new KataError("InvalidArgument", "no descriptor");
      await ops.write(fd, ops.utf8Encode("passed"));
      ops.close(fd);
      return { status: 1 };
    })
    .unary(AgentService.ReadStdout, async ({ execId, len }) => {
      const fd = ops.open(execId === "" ? "/dev/zero" : execId, O_RDONLY, 0);
      try {
        return bulk(1, await ops.readBlock(fd, len));
      } finally {
        ops.close(fd);
      }
    })
    .bulkRequest(AgentService.WriteStdin, 3, async ({ execId }, data) => {
      const fd = ops.open(execId === "" ? "/dev/null" : execId, O_WRONLY, 0);
      try {
        await data.writeTo(fd);
      } finally {
        ops.close(fd);
      }
      return { len: data.length };
    });
}

function spawnServer(mode: string, fd: number): number {
  const { pidfd } = ops.spawn({
    path: "/proc/self/exe",
    argv: ["ttrpc-engine", mode],
    env: [],
    fds: [
      { from: 2, to: 2 },
      { from: fd, to: 3 },
    ],
    parentDeathSignal: 9,
  });
  ops.close(fd);
  return pidfd;
}

interface Server {
  readonly name: string;
  readonly client: Client;
  readonly path: string;
  stop(): Promise<void>;
}

async function startUnix(): Promise<Server> {
  const path = `/tmp/ttrpc-engine-${ops.getpid()}.sock`;
  const pidfd = spawnServer("serve-unix", ops.unixListen(path, 16));
  const client = createClient(await connectUnix(path));
  return { name: "unix socket", client, path, stop: () => stop(client, pidfd, path) };
}

async function startLine(): Promise<Server> {
  const [mine = -1, theirs = -1] = ops.socketpair(SOCKET_STREAM);
  const pidfd = spawnServer("serve-line", theirs);
  const client = createClient(await openSession(fdTransport(mine), { timeoutMs: 5000 }));
  return { name: "session on a socketpair", client, path: "", stop: () => stop(client, pidfd, "") };
}

async function stop(client: Client, pidfd: number, path: string): Promise<void> {
  client.close();
  ops.pidfdSendSignal(pidfd, 9);
  await ops.waitPidfd(pidfd);
  ops.close(pidfd);
  if (path !== "") ops.unlink(path);
}

function check(what: string, ok: boolean): void {
  if (!ok) throw new Error(`failed: ${what}`);
  console.error(`ok: ${what}`);
}

async function testServer({ name, client, path }: Server): Promise<void> {
  const echo = await client.unary(Health.Version, { service: "é".repeat(3000) }, { timeoutMs: 5000 });
  check(`${name}: echoes`, echo.agentVersion === "é".repeat(3000));
  const unknown = await client.unary(AgentService.GetMetrics, {}).catch((error: unknown) => error);
  check(
    `${name}: answers an unknown method`,
    unknown instanceof KataError && unknown.code === "Unimplemented",
  );
  await testBulk(name, client);
  if (path !== "") {
    const [reader = -1, writer = -1] = ops.pipe();
    await client.unary(Health.Check, {}, { fds: [writer] });
    ops.close(writer);
    check(`${name}: passes a descriptor`, ops.utf8Decode(await ops.read(reader, 100)) === "passed");
    check(`${name}: passes it once`, (await ops.read(reader, 100)).length === 0);
    ops.close(reader);
    const bad = await ops.unixConnect(path);
    await ops.write(bad, new Uint8Array(64).fill(0xff));
    check(`${name}: closes on garbage`, (await ops.read(bad, 100)).length === 0);
    ops.close(bad);
  }
  check(
    `${name}: still answers`,
    (await client.unary(Health.Version, { service: "x" })).agentVersion === "x",
  );
}

/** Random bytes through ReadStdout and WriteStdin, of sizes around every border of the code. */
async function testBulk(name: string, client: Client): Promise<void> {
  const [from, to] = [`/tmp/ttrpc-from-${ops.getpid()}`, `/tmp/ttrpc-to-${ops.getpid()}`];
  try {
    for (const length of [1, 4000, 4096, 8192, 65_536, BLOCK_BYTES, 4_000_000]) {
      const bytes = new Uint8Array(length);
      for (let at = 0; at < length; at += 4096) bytes.set(ops.random(Math.min(4096, length - at)), at);
      ops.writeFile(from, bytes, 0o1101, 0o600); // O_WRONLY | O_CREAT | O_TRUNC
      const sink = ops.open(to, O_CREAT_RDWR | 0o1000, 0o600);
      const reply = await client.receive(AgentService.ReadStdout, { execId: from, len: length }, 1);
      await reply.data.writeTo(sink);
      check(`${name}: reads ${length} bytes`, same(ops.readFile(to, 1e7), bytes));
      ops.ftruncate(sink, 0);
      ops.close(sink);
      const source = ops.open(from, O_RDONLY, 0);
      const { block, len } = await ops.readBlock(source, length);
      const data = new Bulk(3, block, len);
      await client.send(AgentService.WriteStdin, { containerId: "c", execId: to }, data, { timeoutMs: 9000 });
      ops.close(source);
      check(`${name}: writes ${length} bytes`, same(ops.readFile(to, 1e7), bytes));
    }
  } finally {
    ops.unlink(from);
    ops.unlink(to);
  }
}

function same(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && ops.sha256(a).every((byte, at) => byte === ops.sha256(b)[at]);
}

async function benchServer({ name, client }: Server): Promise<void> {
  const calls = async (count: number, depth: number, timeoutMs: number) => {
    const worker = async (): Promise<void> => {
      for (let index = 0; index < count / depth; index += 1) {
        await client.unary(Health.Version, { service: "abcdefgh" }, { timeoutMs });
      }
    };
    const start = ops.monotonicMs();
    await Promise.all(Array.from({ length: depth }, worker));
    return Math.round(count / ((ops.monotonicMs() - start) / 1000));
  };
  await calls(2000, 1, 0);
  const memory = async () => (await client.unary(Health.Version, { service: "memory" })).agentVersion;
  const before = await memory();
  console.log(
    `${name}: ${await calls(20_000, 1, 0)} calls/s one at a time, ${await calls(20_000, 1, 60_000)} with a time-out`,
  );
  console.log(
    `${name}: ${await calls(50_000, 32, 0)} calls/s 32 at a time; server RSS ${before} -> ${await memory()} kB`,
  );
  const sink = ops.open("/dev/null", O_WRONLY, 0);
  const source = ops.open("/dev/zero", O_RDONLY, 0);
  const megabytes = async (one: () => Promise<number>) => {
    const start = ops.monotonicMs();
    let bytes = 0;
    while (bytes < 1e9) bytes += await one();
    return Math.round(bytes / 1000 / (ops.monotonicMs() - start));
  };
  const read = await megabytes(async () => {
    const { data } = await client.receive(AgentService.ReadStdout, { len: BLOCK_BYTES }, 1);
    await data.writeTo(sink);
    return data.length;
  });
  const written = await megabytes(async () => {
    const { block, len } = await ops.readBlock(source, BLOCK_BYTES);
    return (await client.send(AgentService.WriteStdin, {}, new Bulk(3, block, len))).len;
  });
  console.log(
    `${name}: reads ${read} MB/s, writes ${written} MB/s; server RSS ${await memory()} kB, client ${ops.memoryUse().rssKb} kB`,
  );
}

runMain(async ([, mode]) => {
  if (mode === "serve-unix") await serve(unixListener(3), handlers()).closed;
  else if (mode === "serve-line") await serve(acceptSession(serialPort(3)), handlers()).closed;
  else {
    for (const start of [startUnix, startLine]) {
      const server = await start();
      try {
        await (mode === "bench" ? benchServer(server) : testServer(server));
      } finally {
        await server.stop();
      }
    }
  }
  return 0;
});
