import type { Ops } from "./ops.gen.ts";
import { setOps } from "./ops.ts";
import { SysError } from "./sys-error.ts";

/** What of Node.js's `process` is needed. */
declare const process: {
  readonly argv: readonly string[];
  dlopen(module: { exports: Ops }, file: string): void;
  exit(code: number): never;
};

/**
 * Gives this program its native ops: for Node.js, where no engine of ours has put them there. Everything above works
 * after it. To be called on the main thread.
 * @param file the addon, kata-sys.node
 * @throws Error when it cannot be loaded
 */
export function loadNodeAddon(file: string): void {
  const module = { exports: Object.create(null) };
  process.dlopen(module, file);
  const ops: Ops = Object.create(null);
  for (const [name, op] of Object.entries(module.exports)) Reflect.set(ops, name, withSysErrors(op));
  ops.args = () => process.argv.slice(1);
  ops.exit = (code) => process.exit(code);
  // The engine's own table, which setOps(undefined) puts back.
  globalThis.__ops = ops;
  setOps(undefined);
}

type Op = (...args: readonly unknown[]) => unknown;

/** The op with errors of our class, whose stacks begin at its caller. */
function withSysErrors(op: unknown): Op {
  if (typeof op !== "function") throw new TypeError("the addon's exports are functions");
  return function call(...args) {
    let result: unknown;
    try {
      result = op(...args);
    } catch (error) {
      throw asSysError(error, call);
    }
    return result instanceof Promise ? settled(result) : result;
  };
}

/** An error that comes from another thread has no stack; taken here, it has the frames of whoever awaits. */
async function settled(promise: Promise<unknown>): Promise<unknown> {
  try {
    return await promise;
  } catch (error) {
    throw asSysError(error, settled);
  }
}

function asSysError(error: unknown, above: (...args: never[]) => unknown): unknown {
  if (!(error instanceof Error) || !("syscall" in error)) return error;
  Object.setPrototypeOf(error, SysError.prototype);
  // V8's: a stack of now, from the caller of `above` on.
  const captureStackTrace: unknown = Reflect.get(Error, "captureStackTrace");
  if (typeof captureStackTrace === "function") captureStackTrace(error, above);
  return error;
}
