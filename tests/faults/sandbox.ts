import { type ChildProcess, spawn } from "node:child_process";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { hashOf, pids } from "../harness/leaks.ts";
import { managers } from "../harness/pod.ts";
import { eventually, run } from "../harness/process.ts";
import { kataRuntime, Scratch, writeConfiguration } from "../harness/programs.ts";
import { exitOf } from "../harness/runtime.ts";
import type { Operation, Victim } from "./point.ts";
import { RecordWatch } from "./record-watch.ts";
import { attach, holdingRecord, traced } from "./strace.ts";

/** How a command ended: 128 + N after signal N. */
export type Ended = {
  readonly status: number;
  readonly signal: NodeJS.Signals | null;
  readonly stderr: string;
};

/** No command may take longer, whatever has happened, ms. */
const LIMIT_MS = 90_000;
/**
 * A virtiofsd or a QEMU that could not make a thread may go on, and the guest does not answer: the error is the time-out's, within the
 * command's time.
 */
const TIME_OUTS = { dial_timeout: 40, request_timeout: 20 };

let count = 0;

/** One container in its sandbox, with a state root of its own, for one fault. */
export class FaultySandbox implements AsyncDisposable {
  readonly id = `fault-${process.pid}-${count++}`;
  /** The container that joins its pod. */
  readonly member = `${this.id}-member`;
  readonly #scratch = new Scratch();
  readonly root = this.#scratch.join("state");
  readonly log = this.#scratch.join("runtime.log");
  #bundle: string;
  readonly #memberBundle = this.#scratch.join("member");
  readonly #configuration: string;

  /** @param shim another program in place of the daemon's */
  constructor(
    bundle: string,
    kernel: { kernel: string; initrd: string; kernel_params?: string },
    shim?: (scratch: Scratch) => string,
  ) {
    mkdirSync(this.root);
    this.#bundle = bundle;
    this.#configuration = writeConfiguration(this.#scratch.join("configuration.toml"), {
      "hypervisor.qemu": kernel,
      "agent.kata": TIME_OUTS,
      ...(shim === undefined ? {} : { runtime: { shim_path: shim(this.#scratch) } }),
    });
  }

  join(name: string): string {
    return this.#scratch.join(name);
  }

  traces() {
    return { root: this.root, ids: [this.id, this.member] };
  }

  /** Its container is a pod's sandbox from now on; nothing of it is there yet. */
  makePod(): void {
    const { type, sandboxId } = managers.containerd;
    const own = this.#scratch.join("sandbox");
    const config = JSON.parse(read(`${this.#bundle}/config.json`));
    config.root.path = `${this.#bundle}/rootfs`;
    const write = (bundle: string, annotations: object) => {
      mkdirSync(bundle);
      writeFileSync(`${bundle}/config.json`, JSON.stringify({ ...config, annotations }));
    };
    write(own, { [type]: "sandbox" });
    // Who joins names the sandbox's network namespace, or none.
    const joins = ({ type, path }: { type: string; path?: string }) => type !== "network" || path;
    config.linux.namespaces = config.linux.namespaces.filter(joins);
    write(this.#memberBundle, { [type]: "container", [sandboxId]: this.id });
    this.#bundle = own;
  }

  argv(operation: Operation): string[] {
    const command = {
      create: ["create", "--bundle", this.#bundle, this.id],
      join: ["create", "--bundle", this.#memberBundle, this.member],
      start: ["start", this.id],
      exec: ["exec", this.id, "true"],
      delete: ["delete", this.id],
      "force-delete": ["delete", "--force", this.id],
    }[operation];
    return [...this.#globals(), ...command];
  }

  #globals(): string[] {
    return ["--root", this.root, "--log", this.log, "--config", this.#configuration];
  }

  /** kata-runtime with a command, to its end and that of its output. */
  kata(...args: string[]): Promise<{ status: number; stdout: string; stderr: string }> {
    return run(kataRuntime, [...this.#globals(), ...args], { timeoutMs: LIMIT_MS });
  }

  /** The operation to its end; fails unless it succeeds. */
  async succeed(operation: Operation): Promise<void> {
    const { status, stderr } = await this.run(kataRuntime, this.argv(operation)).ended;
    if (status !== 0) throw new Error(`${operation}: status ${status}: ${stderr}`);
  }

  async ok(...args: string[]): Promise<string> {
    const ended = await this.kata(...args);
    if (ended.status !== 0) throw new Error(`${args.join(" ")}: status ${ended.status}: ${ended.stderr}`);
    return ended.stdout;
  }

  /** A program to its end; what it leaves behind may keep its output. */
  run(program: string, args: readonly string[]): { child: ChildProcess; ended: Promise<Ended> } {
    const child = spawn(program, args, { stdio: ["ignore", "ignore", "pipe"] });
    let late = false;
    const timer = setTimeout(() => {
      late = true;
      child.kill("SIGKILL");
    }, LIMIT_MS);
    const ended = exitOf(child).then(({ status, stderr }) => {
      clearTimeout(timer);
      if (late) throw new Error(`${args.slice(-3).join(" ")}: still running after ${LIMIT_MS} ms`);
      // A tracer that is held with a process that dies says so.
      const said = stderr.replaceAll(/^\S*strace: [^\n]*\n/gm, "");
      return { status: status ?? 128, signal: child.signalCode, stderr: said };
    });
    return { child, ended };
  }

  /** What runs of it, by role. */
  processes(): { pid: number; role: Victim | "other" }[] {
    const hash = hashOf(this.root, this.id);
    return pids().flatMap((pid) => {
      const words = read(`/proc/${pid}/cmdline`);
      if (!words.includes(this.id) && !words.includes(hash) && !read(`/proc/${pid}/cgroup`).includes(hash))
        return [];
      if (/\) [ZX] /.test(read(`/proc/${pid}/stat`))) return [];
      return [{ pid, role: roleOf(words, this.member) }];
    });
  }

  pidOf(victim: Victim): number | undefined {
    return this.processes().find(({ role }) => role === victim)?.pid;
  }

  /** Ends strace, if it watches what a command has left; resolves when nobody is under watch any more. */
  async stopTracer(): Promise<void> {
    const tracer = this.#tracer();
    if (tracer === 0) return;
    process.kill(tracer, "SIGTERM");
    const gone = () => (this.#tracer() === tracer ? undefined : true);
    // It waits for a tracee that does nothing; the kernel lets go of what a killed one has traced.
    await eventually("strace lets go", gone, 3_000).catch(() => process.kill(tracer, "SIGKILL"));
    await eventually("strace is gone", gone);
  }

  #tracer(): number {
    const tracerOf = (pid: number) =>
      Number(/^TracerPid:\t(\d+)/m.exec(read(`/proc/${pid}/status`))?.[1] ?? 0);
    return (
      this.processes()
        .map(({ pid }) => tracerOf(pid))
        .find((tracer) => tracer !== 0) ?? 0
    );
  }

  /** The operation, whose writes of the record are held back, so that each can be seen; `letGo` ends that. */
  async runHeld(operation: Operation): Promise<{
    child: ChildProcess;
    ended: Promise<Ended>;
    letGo: () => Promise<void>;
  }> {
    const argv = this.argv(operation);
    if (operation === "create") {
      const following = traced(kataRuntime, argv, ["-f", ...holdingRecord]);
      return { ...this.run(...following), letGo: () => this.stopTracer() };
    }
    // Of the others the daemon writes the record, and of join the command too.
    const tracer = await attach(this.pidOf("daemon") ?? 0, holdingRecord);
    const letGo = async () => {
      tracer.kill("SIGTERM");
      await this.stopTracer();
    };
    if (operation === "join") return { ...this.run(...traced(kataRuntime, argv, holdingRecord)), letGo };
    return { ...this.run(kataRuntime, argv), letGo };
  }

  /** Watches the changes of its record. */
  watchRecord(): RecordWatch {
    return new RecordWatch(this.root, this.id);
  }

  /** Nothing of it may be found by those who come later, whatever has failed. */
  async [Symbol.asyncDispose](): Promise<void> {
    for (const id of [this.member, this.id]) await this.kata("delete", "--force", id).catch(() => {});
    this.#scratch[Symbol.dispose]();
  }
}

function roleOf(cmdline: string, member: string): Victim | "other" {
  const program = cmdline.split("\0")[0] ?? "";
  if (/containerd-shim-kata-v2$/.test(program)) return "daemon";
  if (/qemu-system/.test(program)) return "qemu";
  if (/virtiofsd$/.test(program)) return "virtiofsd";
  if (!/kata-shim$/.test(program)) return "other";
  if (cmdline.includes("\0--exec-id\0")) return "exec-shim";
  return cmdline.includes(`\0${member}\0`) ? "join-shim" : "kata-shim";
}

function read(path: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return "";
  }
}
