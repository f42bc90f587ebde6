import type { KataConfig } from "@kata-containers/config";
import type { Init, Method } from "@kata-containers/protocols";
import { type Block, KataError, Logger, setOps } from "@kata-containers/sys";
import { memoryPair } from "@kata-containers/ttrpc";
import type { Agent, ProcessRef, StreamRead } from "../agent-client/agent.ts";
import type { Machine } from "../machine.ts";
import { createMemoryStore } from "../persist/memory-store.ts";
import type { Store } from "../persist/store.ts";
import { Phases } from "../phases.ts";
import { Sandbox } from "../sandbox.ts";

/** An agent whose processes end when the test says so. */
export class FakeAgent implements Agent {
  readonly asked: string[] = [];
  readonly requests = new Map<string, unknown>();
  readonly answers = new Map<string, object>([
    ["GetGuestDetails", { memBlockSizeBytes: 2 ** 27, memBlocks: 2 }],
  ]);
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
    // Nobody runs out of memory.
    if (method.method === "GetOOMEvent") return await this.#end;
    this.asked.push(method.method);
    this.requests.set(method.method, message);
    if (method.method === this.refuse) throw new KataError("Internal", `agent: ${method.method} failed`);
    const answer = Object.assign(method.response.empty(), this.answers.get(method.method));
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
export class FakeMachine implements Machine {
  readonly processes = [{ name: "qemu" as const, identity: { pid: 77, startTime: 1 } }];
  readonly guestMount = { driver: "virtio-fs", source: "kataShared", fstype: "virtiofs", options: [] };
  readonly agentUrl = "vsock://3:1024";
  readonly shareServerPid = 78;
  readonly size = { vcpus: 1, memoryMiB: 256 };
  readonly setClock: boolean;
  readonly grown: string[] = [];
  readonly growth = {
    addVcpus: async (count: number) => void this.grown.push(`${count} vCPUs`),
    addMemory: async (MiB: number) => void this.grown.push(`${MiB} MiB`),
  };
  readonly network = { configure: async () => {} };
  readonly connected = Promise.resolve(memoryPair()[0]);
  stops = 0;
  die: (why: string) => void = () => {};
  readonly ended = new Promise<string>((resolve) => {
    this.die = resolve;
  });
  constructor(setClock: boolean) {
    this.setClock = setClock;
  }
  async stop(): Promise<void> {
    this.stops++;
  }
}

const config = {
  runtime: { stop_timeout: 1 },
  agent: { request_timeout: 1 },
  hypervisor: { default_vcpus: 1, default_maxvcpus: 4, default_memory: 256, default_maxmemory: 4096 },
} as unknown as KataConfig;
let opened = 0;

/** Ops that answer as if on a host. */
export function installOps(): void {
  const answers: Record<string, unknown> = {
    getpid: 42,
    monotonicMs: 0,
    realtimeMs: 1_700_000_000_005.25,
    statfs: { blocks: 1, bsize: 4096 },
    cpuCount: 4,
    // The only text that is read: /proc/meminfo.
    utf8Decode: "MemTotal:       16777216 kB\n",
  };
  setOps(
    new Proxy(Object.create(null), {
      get: (_, op: string) => (argument: number) => {
        if (op === "random") return new Uint8Array(argument);
        if (op === "uname") return { nodename: "host" };
        if (op === "open") return ++opened + 1000;
        return answers[op];
      },
    }),
  );
}

export type World = {
  sandbox: Sandbox;
  agent: FakeAgent;
  machine: FakeMachine;
  store: Store;
  attached: Map<string, { readOnly: boolean }>;
  /** By container. */
  cpusets: Map<string, string | undefined>;
};

/** A sandbox `c` with a record in memory; nothing of it is real. @param setClock its machine is a copy of the template */
export function world({ setClock = false } = {}): World {
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
  const cpusets: World["cpusets"] = new Map();
  const agent = new FakeAgent();
  const machine = new FakeMachine(setClock);
  const sandbox = new Sandbox("c", Promise.resolve(machine), {
    config,
    store,
    phases: new Phases(),
    log: new Logger({ fd: -1, name: "test" }),
    talk: () => agent,
    cpuset: { fit: (id, cpu) => void cpusets.set(id, cpu?.cpus), forget: (id) => void cpusets.delete(id) },
    trees: {
      attach: (name, _tree, { readOnly }) => void attached.set(name, { readOnly }),
      detach: (name) => void attached.delete(name),
      makeReadOnly: (name) => void attached.set(name, { readOnly: true }),
    },
  });
  return { sandbox, agent, machine, store, attached, cpusets };
}

/** Standard streams on /dev/null. */
export const noStdio = { terminal: false, stdin: undefined, stdout: undefined, stderr: undefined };

/** Lets everything run that is ready to. */
export const settle = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));
