import type { ChildProcess } from "node:child_process";
import { existsSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import { cellConfiguration } from "../harness/cells.ts";
import { expectNoLeaks } from "../harness/leaks.ts";
import { cells } from "../harness/matrix.mjs";
import { eventually } from "../harness/process.ts";
import { buildConfiguration, kataRuntime } from "../harness/programs.ts";
import { PANIC_PARAMS, panicGuest } from "./panic-guest.ts";
import { type Census, type Operation, type Point, type Scope, sparesSandbox } from "./point.ts";
import { type Ended, FaultySandbox } from "./sandbox.ts";
import { attach, following, traced, tracing, wasInjected, writeTracedProgram } from "./strace.ts";

/** Where the daemon's log of a watched run goes. */
const LOG = "strace.log";

/** Does the operation with its fault, then looks whether everything holds. @returns whether the fault has happened */
export async function runPoint(
  point: Point,
  bundle: string,
  durations: Census["durations"],
): Promise<boolean> {
  await using sandbox = sandboxFor(point, bundle);
  await prepare(sandbox, point.operation);
  const { happened, ended } = await disturb(sandbox, point, durations);
  await checkTruth(sandbox, point, happened, ended);
  return happened;
}

function sandboxFor(point: Point, bundle: string): FaultySandbox {
  const watched = point.kind === "call" && point.operation === "create" && !fromCommand(point.scope);
  const guest = point.kind !== "call" && point.victim === "guest";
  return new FaultySandbox(
    bundle,
    { ...kernelFiles("own"), ...(guest ? { kernel_params: PANIC_PARAMS } : {}) },
    watched ? (scratch) => shim(point, scratch.join.bind(scratch)) : undefined,
  );
}

/** Whether the command is what strace starts, and follows or not. */
export function fromCommand(scope: Scope): boolean {
  return scope === "command" || scope === "all";
}

/** The daemon under strace from its first call. */
export function shim(
  point: Extract<Point, { kind: "call" }> | { scope: Scope },
  join: (name: string) => string,
): string {
  const options = [...following(point.scope), ...tracing("call" in point ? point : undefined, join(LOG))];
  return writeTracedProgram(join("shim"), buildConfiguration().runtime.shim_path, options);
}

export function kernelFiles(kernel: "own" | "debian"): { kernel: string; initrd: string } {
  const cell = cells.find((each) => each.kernel === kernel);
  if (cell === undefined) throw new Error(`no cell has the kernel ${kernel}`);
  const { kernel: file, initrd } = cellConfiguration(cell)["hypervisor.qemu"] ?? {};
  if (!existsSync(String(file))) throw new Error(`${file} is not there: run make guest-kernel`);
  return { kernel: String(file), initrd: String(initrd) };
}

/** Everything up to the operation. */
export async function prepare(sandbox: FaultySandbox, operation: Operation): Promise<void> {
  if (operation === "create") return;
  if (operation === "join") sandbox.makePod();
  await sandbox.succeed("create");
  if (operation === "start") return;
  await sandbox.ok("start", sandbox.id);
  if (operation !== "delete") return;
  await sandbox.ok("kill", sandbox.id, "KILL");
  await eventually("stopped", async () => ((await stateOf(sandbox)) === "stopped" ? true : undefined));
}

type Disturbed = { readonly happened: boolean; readonly ended: Ended };

async function disturb(
  sandbox: FaultySandbox,
  point: Point,
  durations: Census["durations"],
): Promise<Disturbed> {
  const argv = sandbox.argv(point.operation);
  if (point.kind !== "call") return await killMeanwhile(sandbox, point, durations);
  const options = tracing(point, sandbox.join(LOG));
  if (fromCommand(point.scope)) {
    const all = [...following(point.scope), ...options];
    const ended = await sandbox.run(...traced(kataRuntime, argv, all)).ended;
    await sandbox.stopTracer();
    return { happened: await injected(sandbox, point.effect, ended), ended };
  }
  let tracer: ChildProcess | undefined;
  if (point.operation !== "create") {
    tracer = await attach(sandbox.pidOf("daemon") ?? 0, options);
  }
  const ended = await sandbox.run(kataRuntime, argv).ended;
  // When the daemon has died, the tracer ends by itself; sooner, its log would not say so.
  if (tracer !== undefined && point.effect === "SIGKILL" && ended.status !== 0) {
    const ending = tracer;
    await eventually("the tracer's end", () => ending.exitCode ?? undefined, 3_000).catch(() => {});
  }
  tracer?.kill("SIGTERM");
  // What is asked of the daemon afterwards is not part of the fault.
  await sandbox.stopTracer();
  return { happened: await injected(sandbox, point.effect, ended), ended };
}

/** The tracer writes its log when it ends, which may be a little later. */
async function injected(sandbox: FaultySandbox, effect: string, { status }: Ended): Promise<boolean> {
  const look = () => wasInjected(sandbox.join(LOG), effect);
  if (status === 0 || look()) return look();
  return await eventually("the fault's trace", () => look() || undefined, 3_000).catch(() => false);
}

async function killMeanwhile(
  sandbox: FaultySandbox,
  point: Exclude<Point, { kind: "call" }>,
  durations: Census["durations"],
): Promise<Disturbed> {
  if (point.kind === "record") return await killAtRecord(sandbox, point);
  const { child, ended } = sandbox.run(kataRuntime, sandbox.argv(point.operation));
  const over = ending(ended);
  await sleep(point.moment * (durations.get(point.operation) ?? 1000));
  const happened = await strike(sandbox, point, child, over);
  return { happened, ended: await ended };
}

async function killAtRecord(
  sandbox: FaultySandbox,
  point: Extract<Point, { kind: "record" }>,
): Promise<Disturbed> {
  using record = sandbox.watchRecord();
  const { child, ended, letGo } = await sandbox.runHeld(point.operation);
  const over = ending(ended);
  await record.reaches(
    point.change,
    ended.catch(() => {}),
  );
  const happened = record.changes >= point.change && (await strike(sandbox, point, child, over));
  const end = await ended;
  await letGo();
  return { happened, ended: end };
}

/** @returns whether it has ended, or failed */
function ending(ended: Promise<unknown>): () => boolean {
  let over = false;
  const end = () => {
    over = true;
  };
  ended.then(end, end);
  return () => over;
}

/** Kills the victim, which may yet have to come. */
async function strike(
  sandbox: FaultySandbox,
  { victim }: Exclude<Point, { kind: "call" }>,
  command: ChildProcess,
  over: () => boolean,
): Promise<boolean> {
  if (victim === "command") return !over() && command.kill("SIGKILL");
  // The guest ends with a panic of its kernel.
  const end = async (pid: number) =>
    victim === "guest" ? await panicGuest(sandbox.pidOf("daemon") ?? 0, pid) : signal(pid);
  for (;;) {
    const last = over();
    const pid = sandbox.pidOf(victim === "guest" ? "qemu" : victim);
    if (pid !== undefined && (await end(pid))) return true;
    if (last) return false;
    await sleep(1);
  }
}

function signal(pid: number): boolean {
  try {
    return process.kill(pid, "SIGKILL");
  } catch {
    return false;
  }
}

async function stateOf(sandbox: FaultySandbox, id = sandbox.id): Promise<string> {
  const { status, stdout, stderr } = await sandbox.kata("state", id);
  if (status === 0) return JSON.parse(stdout).status;
  if (stderr === `kata-runtime: container "${id}" does not exist\n`) return "none";
  throw new Error(`state: status ${status}: ${stderr}`);
}

/** What holds after any fault. */
async function checkTruth(
  sandbox: FaultySandbox,
  point: Point,
  happened: boolean,
  ended: Ended,
): Promise<void> {
  const { status, signal: killed } = ended;
  // kata-shim, which has the caller's stderr, says by itself what has befallen it.
  const shimMayFail = point.kind === "call" && point.scope === "all";
  const stderr = shimMayFail ? ended.stderr.replace(/^kata-shim: [^\n]+\n/gm, "") : ended.stderr;
  if (!happened && status !== 0) throw new Error(`without a fault: status ${status}: ${stderr}`);
  if (stderr !== "" && !/^kata-runtime: [^\n]+\n$/.test(stderr))
    throw new Error(`not one line of kata-runtime: ${JSON.stringify(stderr)}`);
  // The engine cannot wake itself: no host runs out of what that takes.
  if (stderr.includes("failed to wake I/O driver")) return await checkCleanup(sandbox);
  if (status !== 0 && killed === null && point.operation !== "exec" && stderr === "") {
    throw new Error(`status ${status} without a word`);
  }
  const made = point.operation === "join" ? sandbox.member : sandbox.id;
  if (["create", "join"].includes(point.operation) && killed === null && status !== 0) {
    const state = await stateOf(sandbox, made);
    // Where every process has the fault, what undoes a create has it too: it says so, and what is left `delete --force` removes.
    const undone = !stderr.includes("and then: ");
    if (undone && state !== "none")
      throw new Error(`create has failed (${stderr.trim()}), and state says ${state}`);
  }
  const states = await eventually("state and processes agree", () => agreement(sandbox, point), 15_000);
  for (const [id, state] of states) {
    if (!allowed(point, ended, id === made).includes(state))
      throw new Error(`state of ${id} says ${state} after status ${status} (${stderr.trim()})`);
  }
  await checkCleanup(sandbox);
}

async function checkCleanup(sandbox: FaultySandbox): Promise<void> {
  await sandbox.ok("list", "--format", "json");
  for (const id of [sandbox.member, sandbox.member, sandbox.id, sandbox.id])
    await sandbox.ok("delete", "--force", id);
  await expectNoLeaks(sandbox.traces());
}

/** What the container may be that the operation is about or, of the two of a join, the sandbox's own. */
function allowed(point: Point, { status }: Ended, made: boolean): string[] {
  const { operation } = point;
  const all = ["none", "creating", "created", "running", "stopped"];
  const spared = sparesSandbox(point);
  if (operation === "exec" || !made) return spared ? ["running"] : ["running", "stopped"];
  if (operation === "start") return spared ? ["created", "running"] : ["created", "running", "stopped"];
  if (operation === "create" || operation === "join") return status === 0 ? ["created", "stopped"] : all;
  return status === 0 ? ["none"] : all;
}

/** Each container's state, once what it says is so. */
async function agreement(
  sandbox: FaultySandbox,
  { operation }: Point,
): Promise<[string, string][] | undefined> {
  const own = await agreementOfSandbox(sandbox);
  if (own === undefined) return undefined;
  const { id, member } = sandbox;
  if (operation !== "join") return [[id, own]];
  const joined = await stateOf(sandbox, member);
  const stands = sandbox.pidOf("join-shim") !== undefined;
  // One that is made lives in a VM that runs; of one that has ended, or was not made, nothing lives.
  const agree = joined === "creating" || (joined === "created" ? stands && own === "running" : !stands);
  return agree
    ? [
        [id, own],
        [member, joined],
      ]
    : undefined;
}

async function agreementOfSandbox(sandbox: FaultySandbox): Promise<string | undefined> {
  const state = await stateOf(sandbox);
  const roles = sandbox.processes().map(({ role }) => role);
  const lives = roles.includes("daemon") && roles.includes("qemu");
  if (state === "created") return lives ? state : undefined;
  // One whose end has not been noticed yet does nothing any more.
  if (state === "running") {
    return lives && (await sandbox.kata("exec", sandbox.id, "true")).status === 0 ? state : undefined;
  }
  if (state === "creating") return roles.includes("daemon") ? state : undefined;
  return roles.includes("qemu") ? undefined : state;
}
