import { chmodSync, existsSync, mkdirSync, readFileSync, rmdirSync, writeFileSync } from "node:fs";
import { createConnection, type Socket } from "node:net";
import { join } from "node:path";
import { Any, Task, TaskExit } from "@kata-containers/protocols";
import { loadNodeAddon } from "@kata-containers/sys";
import { type Client, createClient } from "@kata-containers/ttrpc";
import { afterEach } from "vitest";
import { type BundleOptions, makeBundle } from "./bundle.ts";
import { expectNoLeaks } from "./leaks.ts";
import { type Ended, run } from "./process.ts";
import { configurationFile, repository, Scratch } from "./programs.ts";
import { SocketTransport } from "./socket-transport.ts";

const SHIM = join(repository, "build/bin/containerd-shim-kata-v2");

/** One call of the publish binary a line: its topic, and the event in hexadecimal. Events have no other way here, for TTRPC_ADDRESS is not set. */
const PUBLISH = `#!/bin/sh
while [ "$1" != --topic ]; do shift; done
echo "$2 $(od -An -v -tx1 | tr -d ' \\n')" >> "$(dirname "$0")/events"
`;

let count = 0;

/** The shim as containerd drives it, without containerd: its command line, and calls on its Task socket. */
export class Shims {
  readonly scratch = new Scratch();
  readonly namespace = `e2e-${process.pid}-${count++}`;
  readonly #ids: string[] = [];
  readonly #sockets: Socket[] = [];
  readonly #containers: { readonly id: string; readonly bundle: string }[] = [];

  /** Where the records of its sandboxes are. */
  get root(): string {
    return `/run/vc/containerd/${this.namespace}`;
  }

  /** A new bundle, and its id. */
  bundle(options: BundleOptions = {}): { readonly id: string; readonly bundle: string } {
    const id = `${this.namespace}-c${count++}`;
    const made = { id, bundle: makeBundle(this.scratch.join(id), { args: ["sleep", "1000"], ...options }) };
    this.#ids.push(id);
    this.#containers.push(made);
    return made;
  }

  /** The shim's own command line, for a bundle, with a standard input. */
  command(
    verb: string,
    { id, bundle }: { readonly id: string; readonly bundle: string },
    input: string | Buffer = "",
  ): Promise<Ended> {
    const publish = this.scratch.join("publish");
    writeFileSync(publish, PUBLISH);
    chmodSync(publish, 0o755);
    const args = ["-namespace", this.namespace, "-address", "/run/none.sock", "-publish-binary", publish];
    const env = { ...process.env, KATA_CONF_FILE: configurationFile };
    return run(SHIM, [...args, "-id", id, verb], { cwd: bundle, env, input });
  }

  /** `start`, and a connection to what it has started. */
  async start(container: { readonly id: string; readonly bundle: string }): Promise<Client> {
    const { status, stdout, stderr } = await this.command("start", container);
    if (status !== 0) throw new Error(`start: ${stderr}`);
    return this.connect(stdout);
  }

  /** A connection to a Task socket. */
  connect(address: string): Client {
    return createClient(new SocketTransport(this.socket(address)));
  }

  /** The same, for those who do not speak ttRPC. */
  socket(address: string): Socket {
    const socket = createConnection(address.replace(/^unix:\/\//, ""));
    socket.on("error", () => {});
    this.#sockets.push(socket);
    return socket;
  }

  /** A container with its output in a file, created; it has a shim of its own. */
  async create(options: BundleOptions = {}, more: object = {}): Promise<Created> {
    const container = this.bundle(options);
    const shim = await this.start(container);
    const output = join(container.bundle, "output");
    const request = { ...container, stdout: `file://${output}`, ...more };
    const { pid } = await shim.unary(Task.Create, request, { timeoutMs: 60_000 });
    return {
      ...container,
      shim,
      pid,
      output: () => (existsSync(output) ? readFileSync(output, "utf8") : ""),
    };
  }

  /** The same, started. */
  async run(options: BundleOptions = {}, more: object = {}): Promise<Created> {
    const created = await this.create(options, more);
    await created.shim.unary(Task.Start, { id: created.id });
    return created;
  }

  /** Topics of the events that were published, in their order. */
  events(): string[] {
    return this.#events().map(([topic = ""]) => topic);
  }

  /** Of the processes whose end was published, in that order: their exec ids, and their containers' own ones for their first. */
  exits(): string[] {
    return this.#events()
      .filter(([topic]) => topic === "/tasks/exit")
      .map(([, event = ""]) => TaskExit.decode(Any.decode(Buffer.from(event, "hex")).value).id);
  }

  #events(): string[][] {
    const file = this.scratch.join("events");
    if (!existsSync(file)) return [];
    return readFileSync(file, "utf8")
      .trim()
      .split("\n")
      .map((line) => line.split(" "));
  }

  traces() {
    return { root: this.root, ids: this.#ids };
  }

  async removeAll(): Promise<void> {
    for (const socket of this.#sockets.splice(0)) socket.destroy();
    for (const container of this.#containers.splice(0).toReversed()) await this.command("delete", container);
  }

  removeRoot(): void {
    if (existsSync(this.root)) rmdirSync(this.root);
  }
}

export interface Created {
  readonly id: string;
  readonly bundle: string;
  readonly shim: Client;
  /** The shim's. */
  readonly pid: number;
  readonly output: () => string;
}

/** An OCI process as containerd sends it. */
export function processSpec(args: readonly string[], more: object = {}): Any {
  const process = { args, cwd: "/", env: ["PATH=/bin"], user: { uid: 0, gid: 0 }, ...more };
  const typeUrl = "types.containerd.io/opencontainers/runtime-spec/1/Process";
  return { typeUrl, value: Buffer.from(JSON.stringify(process)) };
}

/** Shims for a suite. After each test everything is deleted, and nothing of it may be left on the host. */
export function useShims(): Shims {
  let shims = new Shims();
  mkdirSync("/run/containerd/s", { recursive: true });
  // For time-outs of calls.
  loadNodeAddon(join(repository, "build/node/kata-sys.node"));
  afterEach(async () => {
    await shims.removeAll();
    await expectNoLeaks(shims.traces());
    shims.removeRoot();
    shims.scratch[Symbol.dispose]();
    shims = new Shims();
  });
  // What a test sees is always the current one.
  return new Proxy(shims, {
    get: (_, name) => {
      const value = Reflect.get(shims, name, shims);
      return typeof value === "function" ? value.bind(shims) : value;
    },
  });
}
