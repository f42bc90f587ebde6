import { Any, type ContainerdEnvelope, ContainerdEvents, TaskExit } from "@kata-containers/protocols";
import { KataError, Logger, SysError } from "@kata-containers/sys";
import { type Client, createClient, Handlers, memoryPair, type Server, serve } from "@kata-containers/ttrpc";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { recordOps } from "../testing/fake-ops.ts";
import { type EventHost, eventSender, SEND_MS, ttrpcSender } from "./event-sender.ts";
import { envelopeOf } from "./task-events.ts";

beforeEach(() => {
  recordOps({ monotonicMs: () => Date.now() });
});
afterEach(() => void vi.useRealTimers());

const silent = new Logger({ fd: -1, name: "test" });
const exit = envelopeOf("/tasks/exit", { containerId: "c", id: "c", exitStatus: 137 }, "k8s.io", 1500);

/** containerd's end of a connection: `answer` takes the envelopes. */
function containerd(answer: (envelope: ContainerdEnvelope) => Promise<void>): {
  client: Client;
  server: Server;
} {
  const [ours, theirs] = memoryPair();
  const handlers = new Handlers().unary(ContainerdEvents.Forward, async ({ envelope }) => {
    if (envelope !== undefined) await answer(envelope);
    return {};
  });
  return { client: createClient(ours), server: serve(theirs, handlers) };
}

const refusedFor = async (sent: Promise<void>) =>
  KataError.from(
    await sent.then(
      () => new Error("was sent"),
      (error: unknown) => error,
    ),
  );

test("containerd gets topic, namespace, time, and the message under its full name", async () => {
  const got: ContainerdEnvelope[] = [];
  const { client } = containerd(async (envelope) => void got.push(envelope));
  await ttrpcSender(async () => client).send(exit);
  expect(got).toMatchObject([
    {
      topic: "/tasks/exit",
      namespace: "k8s.io",
      timestamp: { seconds: 1, nanos: 500_000_000 },
      event: { typeUrl: "containerd.events.TaskExit" },
    },
  ]);
  expect(TaskExit.decode(got[0]?.event?.value ?? new Uint8Array())).toMatchObject({
    containerId: "c",
    exitStatus: 137,
  });
});

test("one connection serves event after event, and another is made when it has ended", async () => {
  let connections = 0;
  let server: Server | undefined;
  const sender = ttrpcSender(async () => {
    connections++;
    const made = containerd(async () => {});
    server = made.server;
    return made.client;
  });
  await sender.send(exit);
  await sender.send(exit);
  expect(connections).toBe(1);
  server?.close();
  // Whether its end was noticed before, or is by sending.
  await sender.send(exit).catch((error: unknown) => expect(error).toMatchObject({ code: "Unavailable" }));
  await sender.send(exit);
  expect(connections).toBe(2);
});

test.each([
  ["nobody listens", async () => undefined],
  [
    "the socket is not there",
    () => {
      throw new SysError("ENOENT", "connect", "/run/c.sock");
    },
  ],
])("%s: Unavailable, to be tried again", async (_, connect) => {
  expect(await refusedFor(ttrpcSender(connect).send(exit))).toMatchObject({ code: "Unavailable" });
});

test("a connection that ends in mid-call is Unavailable", async () => {
  const { client, server } = containerd(async () => {
    server.close();
    await new Promise(() => {});
  });
  expect(await refusedFor(ttrpcSender(async () => client).send(exit))).toMatchObject({ code: "Unavailable" });
});

test("a containerd that does not answer is Unavailable after a while, and its connection ends", async () => {
  vi.useFakeTimers();
  const { client } = containerd(() => new Promise(() => {}));
  const refused = refusedFor(ttrpcSender(async () => client).send(exit));
  let closed = false;
  client.closed.then(() => {
    closed = true;
  });
  await vi.advanceTimersByTimeAsync(SEND_MS - 100);
  expect(closed).toBe(false);
  await vi.advanceTimersByTimeAsync(200);
  expect(await refused).toMatchObject({ code: "Unavailable" });
  expect(closed).toBe(true);
});

test("a connection that comes too late is closed", async () => {
  vi.useFakeTimers();
  const { client } = containerd(async () => {});
  let connected: (client: Client) => void = () => {};
  const late = new Promise<Client>((resolve) => {
    connected = resolve;
  });
  const refused = refusedFor(ttrpcSender(() => late).send(exit));
  await vi.advanceTimersByTimeAsync(SEND_MS);
  expect(await refused).toMatchObject({ code: "Unavailable" });
  connected(client);
  vi.useRealTimers();
  await client.closed;
});

test("what containerd answers is told as it is", async () => {
  const { client } = containerd(async () => {
    throw new KataError("InvalidArgument", "bad topic");
  });
  const error = await refusedFor(ttrpcSender(async () => client).send(exit));
  expect(error).toMatchObject({ code: "InvalidArgument", message: "bad topic" });
});

test("a closed sender's connection ends", async () => {
  const { client } = containerd(async () => {});
  const sender = ttrpcSender(async () => client);
  await sender.send(exit);
  sender.close();
  await client.closed;
});

type Run = { argv: readonly string[]; stdin: Uint8Array; timeoutMs: number };

/** A host whose publish binary ends so. */
function host(status: number): { runs: Run[]; paths: string[]; host: EventHost } {
  const runs: Run[] = [];
  const paths: string[] = [];
  return {
    runs,
    paths,
    host: {
      async connect(path) {
        paths.push(path);
        return undefined;
      },
      async run(argv, stdin, timeoutMs) {
        runs.push({ argv, stdin, timeoutMs });
        return status;
      },
    },
  };
}

test.each(["unix:///run/containerd/c.ttrpc", "/run/containerd/c.ttrpc"])(
  "the ttRPC address %s is preferred",
  async (ttrpc) => {
    const { host: fake, paths, runs } = host(0);
    const addresses = { ttrpc, containerd: "/run/c.sock", publishBinary: "/usr/bin/containerd" };
    await refusedFor(eventSender(addresses, fake, silent).send(exit));
    expect(paths).toEqual(["/run/containerd/c.ttrpc"]);
    expect(runs).toEqual([]);
  },
);

const old = { ttrpc: "", containerd: "/run/c.sock", publishBinary: "/usr/bin/containerd" };

test("without one the publish binary gets the message on its standard input", async () => {
  const { host: fake, runs } = host(0);
  await eventSender(old, fake, silent).send(exit);
  expect(runs.map(({ argv }) => argv.join(" "))).toEqual([
    "/usr/bin/containerd --address /run/c.sock publish --topic /tasks/exit --namespace k8s.io",
  ]);
  const [run] = runs;
  expect(run?.timeoutMs).toBe(5000);
  expect(Any.decode(run?.stdin ?? new Uint8Array())).toEqual(exit.event);
});

test("a publish binary that fails, or is not there, is Unavailable", async () => {
  const { host: fake } = host(1);
  expect(await refusedFor(eventSender(old, fake, silent).send(exit))).toMatchObject({
    code: "Unavailable",
    message: "/usr/bin/containerd publish: exit status 1",
  });
  const run = () => {
    throw new SysError("ENOENT", "execve", "/usr/bin/containerd");
  };
  expect(await refusedFor(eventSender(old, { ...fake, run }, silent).send(exit))).toMatchObject({
    code: "Unavailable",
  });
});

test("where nobody takes events, as with CRI-O, they are only logged", async () => {
  const { host: fake, runs, paths } = host(0);
  await eventSender({ ttrpc: "", containerd: "", publishBinary: "/usr/bin/crio" }, fake, silent).send(exit);
  expect([...runs, ...paths]).toEqual([]);
});
