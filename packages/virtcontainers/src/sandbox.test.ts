import type { KataConfig } from "@kata-containers/config";
import type { Spec } from "@kata-containers/oci";
import type { Init, Method } from "@kata-containers/protocols";
import { type Block, Fd, KataError, Logger, setOps } from "@kata-containers/sys";
import { memoryPair } from "@kata-containers/ttrpc";
import { afterEach, beforeEach, expect, test } from "vitest";
import type { Agent, ProcessRef, StreamRead } from "./agent-client/agent.ts";
import type { Machine } from "./machine.ts";
import { createMemoryStore } from "./persist/memory-store.ts";
import type { Store } from "./persist/store.ts";
import { Phases } from "./phases.ts";
import type { ProcessExit } from "./process.ts";
import { Sandbox } from "./sandbox.ts";

const spec: Spec = {
  ociVersion: "1.0.2",
  hostname: "box",
  process: { cwd: "/", args: ["sh"] },
  root: { path: "rootfs", readonly: true },
  mounts: [{ destination: "/data", type: "bind", source: "/srv", options: ["ro"] }],
};

/** An agent whose processes end when the test says so. */
class FakeAgent implements Agent {
  readonly asked: string[] = [];
  readonly requests = new Map<string, unknown>();
  refuse: string | undefined;
  closed = false;
  #exits = new Map<string, (status: number) => void>();
  #gone: (error: KataError) => void = () => {};
  readonly #end = new Promise<never>((_, reject) => {
    this.#gone = reject;
  });

  constructor() {
    this.#end.catch(() => {});
  }

  async request<Req extends object, Res extends object>(
    method: Method<Req, Res>,
    message: Init<Req>,
  ): Promise<Res> {
    this.asked.push(method.method);
    this.requests.set(method.method, message);
    if (method.method === this.refuse) throw new KataError("Internal", `agent: ${method.method} failed`);
    const answer = method.response.empty();
    if (method.method !== "WaitProcess") return answer;
    const { execId } = message as Partial<ProcessRef>;
    const status = new Promise<number>((resolve) => this.#exits.set(execId ?? "", resolve));
    return Object.assign(answer, { status: await Promise.race([status, this.#end]) });
  }
  async readInto(): Promise<StreamRead> {
    return { length: 0, written: Promise.resolve() };
  }
  async writeStdin(_process: ProcessRef, _block: Block): Promise<void> {}
  close(): void {
    this.closed = true;
    this.#gone(new KataError("Unavailable", "closed"));
  }
  exit(execId: string, status: number): void {
    this.#exits.get(execId)?.(status);
  }
}

/** A machine that dies when the test says so. */
class FakeMachine implements Machine {
  readonly processes = [{ name: "qemu" as const, identity: { pid: 77, startTime: 1 } }];
  readonly guestMount = { driver: "virtio-fs", source: "kataShared", fstype: "virtiofs", options: [] };
  readonly connected = Promise.resolve(memoryPair()[0]);
  stops = 0;
  die: (why: string) => void = () => {};
  readonly ended = new Promise<string>((resolve) => {
    this.die = resolve;
  });
  async stop(): Promise<void> {
    this.stops++;
  }
}

const config = { runtime: { stop_timeout: 1 }, agent: { request_timeout: 1 } } as unknown as KataConfig;
const opened: number[] = [];

beforeEach(() => {
  opened.length = 0;
  const answers: Record<string, unknown> = {
    getpid: 42,
    monotonicMs: 0,
    realtimeMs: 5,
    statfs: { blocks: 1, bsize: 4096 },
  };
  setOps(
    new Proxy(Object.create(null), {
      get: (_, op: string) => (argument: number) => {
        if (op === "random") return new Uint8Array(argument);
        if (op === "open") return opened.push(argument) + 1000;
        return answers[op];
      },
    }),
  );
});
afterEach(() => setOps(undefined));

type World = {
  sandbox: Sandbox;
  agent: FakeAgent;
  machine: FakeMachine;
  store: Store;
  attached: Map<string, { readOnly: boolean }>;
};

function world(): World {
  const store = createMemoryStore();
  store.create({
    version: 1,
    id: "c",
    root: "/r",
    bootId: "b",
    socket: "/s",
    configPath: "/c",
    cgroups: { sandbox: "/a", daemon: "/b" },
    resources: [],
    containers: [],
  });
  const attached: World["attached"] = new Map();
  const agent = new FakeAgent();
  const machine = new FakeMachine();
  const sandbox = new Sandbox("c", Promise.resolve(machine), {
    config,
    store,
    phases: new Phases(),
    log: new Logger({ fd: -1, name: "test" }),
    talk: () => agent,
    trees: {
      attach: (name, _tree, { readOnly }) => void attached.set(name, { readOnly }),
      detach: (name) => void attached.delete(name),
      makeReadOnly: (name) => void attached.set(name, { readOnly: true }),
    },
  });
  return { sandbox, agent, machine, store, attached };
}

const stdio = { terminal: false, stdin: undefined, stdout: undefined, stderr: undefined };

function create({ sandbox }: World): Promise<unknown> {
  const volumes = [{ index: 0, tree: new Fd(11), directory: true }];
  return sandbox.createContainer({
    id: "c",
    bundle: "/b",
    spec,
    rootfs: new Fd(10),
    volumes,
    stdio,
    standIn: async () => 99,
  });
}

const status = ({ store }: World): string | undefined => store.load("c").containers[0]?.status;

/** Lets everything run that is ready to. */
const settle = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

test("the generic VM becomes the sandbox with its first container", async () => {
  const all = world();
  await create(all);
  expect(all.agent.asked.slice(0, 4)).toEqual([
    "Check",
    "ReseedRandomDev",
    "CreateSandbox",
    "CreateContainer",
  ]);
  expect(all.agent.requests.get("CreateSandbox")).toMatchObject({ hostname: "box", sandboxId: "c" });
  expect(all.store.load("c").containers[0]).toMatchObject({ status: "created", pid: 99 });
});

test("the VM's processes are in the record as soon as they run", async () => {
  const all = world();
  await settle();
  expect(all.store.load("c").resources).toEqual([
    { kind: "process", name: "qemu", identity: { pid: 77, startTime: 1 } },
  ]);
});

test("a read-only volume is read-only on the host's side, and so is a read-only root once it is made", async () => {
  const all = world();
  await create(all);
  expect([...all.attached.values()]).toEqual([{ readOnly: true }, { readOnly: true }]);
});

test("a container that the agent refuses leaves nothing", async () => {
  const all = world();
  all.agent.refuse = "CreateContainer";
  await expect(create(all)).rejects.toThrow("agent: CreateContainer failed");
  expect(all.attached.size).toBe(0);
  expect(all.sandbox.containers()).toEqual([]);
});

test("its status follows the process, and the VM stops with its last container", async () => {
  const all = world();
  await create(all);
  await all.sandbox.startContainer("c");
  expect(status(all)).toBe("running");
  all.agent.exit("c", 3);
  expect(await all.sandbox.wait("c", "")).toMatchObject({ status: 3 });
  await settle();
  expect(status(all)).toBe("stopped");
  expect(all.store.load("c").containers[0]).toMatchObject({ exitStatus: 3, pid: 0 });
  expect(all.machine.stops).toBe(1);
});

test("when the VM dies, every process has been killed and whoever waits is told", async () => {
  const all = world();
  await create(all);
  await all.sandbox.startContainer("c");
  const waiting: Promise<ProcessExit>[] = [all.sandbox.wait("c", ""), all.sandbox.wait("c", "c")];
  all.machine.die("QEMU ended: out of memory");
  for (const exit of await Promise.all(waiting)) expect(exit.status).toBe(137);
  await settle();
  expect(status(all)).toBe("stopped");
  expect(await all.sandbox.vmEnded).toBe("QEMU ended: out of memory");
  expect(all.machine.stops).toBe(1);
});

test("what does not fit the state is refused in runc's words", async () => {
  const all = world();
  await create(all);
  await expect(all.sandbox.exec("c", "e", { cwd: "/" }, stdio)).rejects.toThrow("not running");
  await all.sandbox.startContainer("c");
  await expect(all.sandbox.startContainer("c")).rejects.toThrow("cannot start an already running container");
  await expect(all.sandbox.removeContainer("c", false)).rejects.toThrow(
    "cannot delete container c that is not stopped: running",
  );
  await expect(create(all)).rejects.toThrow('"c" already exists');
});

test("a forced removal of the last container stops the VM and forgets it", async () => {
  const all = world();
  await create(all);
  await all.sandbox.startContainer("c");
  await all.sandbox.removeContainer("c", true);
  expect(all.machine.stops).toBe(1);
  expect(all.attached.size).toBe(0);
  expect(all.store.load("c").containers).toEqual([]);
});
