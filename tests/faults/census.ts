import { kataRuntime } from "../harness/programs.ts";
import { type Census, type Operation, operations, type Scope } from "./point.ts";
import { type Durations, kernelFiles, prepare, shim } from "./run-point.ts";
import { FaultySandbox } from "./sandbox.ts";
import { attach, countCalls, traced, tracing } from "./strace.ts";

/** Watches every operation undisturbed: which calls are made, how often, and how long it takes (ms, without strace). */
export async function takeCensus(bundle: string): Promise<{ census: Census; durations: Durations }> {
  const census: Census[number][] = [];
  const durations = new Map<Operation, number>();
  for (const operation of operations) {
    durations.set(operation, await timed(bundle, operation));
    const scopes: Scope[] = operation === "create" ? ["command", "daemon", "tree"] : ["command", "daemon"];
    for (const scope of scopes)
      census.push({ operation, scope, counts: await counted(bundle, operation, scope) });
  }
  return { census, durations };
}

async function timed(bundle: string, operation: Operation): Promise<number> {
  using sandbox = new FaultySandbox(bundle, kernelFiles("own"));
  await prepare(sandbox, operation);
  const start = performance.now();
  await sandbox.run(kataRuntime, sandbox.argv(operation)).ended;
  const duration = performance.now() - start;
  await sandbox.ok("delete", "--force", sandbox.id);
  return duration;
}

async function counted(bundle: string, operation: Operation, scope: Scope): Promise<Map<string, number>> {
  const fromBirth = operation === "create" && scope !== "command";
  using sandbox = new FaultySandbox(
    bundle,
    kernelFiles("own"),
    fromBirth ? (scratch) => shim({ scope }, scratch.join.bind(scratch)) : undefined,
  );
  await prepare(sandbox, operation);
  const log = sandbox.join("strace.log");
  const argv = sandbox.argv(operation);
  if (scope === "command") await sandbox.run(...traced(kataRuntime, argv, tracing(undefined, log))).ended;
  else if (fromBirth) await sandbox.run(kataRuntime, argv).ended;
  else {
    const tracer = await attach(sandbox.pidOf("daemon") ?? 0, tracing(undefined, log));
    await sandbox.run(kataRuntime, argv).ended;
    tracer.kill("SIGTERM");
  }
  await sandbox.ok("delete", "--force", sandbox.id);
  return countCalls(log);
}
