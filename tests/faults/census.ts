import { setImmediate } from "node:timers/promises";
import { kataRuntime } from "../harness/programs.ts";
import { type Census, type Operation, operations, type Scope, scopesOf } from "./point.ts";
import { fromCommand, kernelFiles, prepare, shim } from "./run-point.ts";
import { FaultySandbox } from "./sandbox.ts";
import { attach, countCalls, following, traced, tracing } from "./strace.ts";

/** Watches every operation undisturbed. */
export async function takeCensus(bundle: string): Promise<Census> {
  const calls: Census["calls"][number][] = [];
  for (const operation of operations) {
    for (const scope of scopesOf(operation))
      calls.push({ operation, scope, counts: await counted(bundle, operation, scope) });
  }
  return { calls, ...(await takeTimes(bundle, operations)) };
}

/** The part of the census that a point alone needs. */
export async function takeTimes(
  bundle: string,
  wanted: readonly Operation[],
): Promise<Pick<Census, "durations" | "changes">> {
  const durations = new Map<Operation, number>();
  const changes = new Map<Operation, number>();
  for (const operation of wanted) {
    durations.set(operation, await timed(bundle, operation));
    changes.set(operation, await recordChanges(bundle, operation));
  }
  return { durations, changes };
}

/** How long an operation takes without strace, ms. */
async function timed(bundle: string, operation: Operation): Promise<number> {
  await using sandbox = new FaultySandbox(bundle, kernelFiles("own"));
  await prepare(sandbox, operation);
  const start = performance.now();
  await sandbox.succeed(operation);
  return performance.now() - start;
}

async function recordChanges(bundle: string, operation: Operation): Promise<number> {
  await using sandbox = new FaultySandbox(bundle, kernelFiles("own"));
  await prepare(sandbox, operation);
  using record = sandbox.watchRecord();
  const { ended, letGo } = await sandbox.runHeld(operation);
  const { status, stderr } = await ended;
  if (status !== 0) throw new Error(`${operation}: status ${status}: ${stderr}`);
  await letGo();
  // The events of the last change come by the event loop.
  await setImmediate();
  return record.changes;
}

async function counted(bundle: string, operation: Operation, scope: Scope): Promise<Map<string, number>> {
  const fromBirth = operation === "create" && !fromCommand(scope);
  await using sandbox = new FaultySandbox(
    bundle,
    kernelFiles("own"),
    fromBirth ? (scratch) => shim({ scope }, scratch.join.bind(scratch)) : undefined,
  );
  await prepare(sandbox, operation);
  const log = sandbox.join("strace.log");
  if (fromCommand(scope)) {
    const options = [...following(scope), ...tracing(undefined, log)];
    const { status, stderr } = await sandbox.run(...traced(kataRuntime, sandbox.argv(operation), options))
      .ended;
    if (status !== 0) throw new Error(`${operation} under strace: status ${status}: ${stderr}`);
  } else if (fromBirth) await sandbox.succeed(operation);
  else {
    const tracer = await attach(sandbox.pidOf("daemon") ?? 0, tracing(undefined, log));
    await sandbox.succeed(operation);
    tracer.kill("SIGTERM");
  }
  await sandbox.stopTracer();
  await sandbox.ok("delete", "--force", sandbox.id);
  return countCalls(log);
}
