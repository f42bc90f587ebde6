import type { Ops } from "./ops.gen.ts";
import { SysError } from "./sys-error.ts";

declare global {
  /** The native op table; the engine puts it there before any script runs. */
  var __ops: Ops | undefined;
  /** What the engine gives the errors that its ops throw, so that they are instances of our class. */
  var __sysErrorPrototype: SysError | undefined;
}

/** Stands in where no engine is (unit tests on Node): every op throws. */
const none: Ops = new Proxy(Object.create(null), {
  get: (_target, op) => () => {
    throw new SysError("ENOSYS", String(op), "", undefined, "no native ops on this engine");
  },
});

globalThis.__sysErrorPrototype = SysError.prototype;

/** The native op table of the engine we run on. */
export let ops: Ops = globalThis.__ops ?? none;

/** Replaces the op table: for tests (a fake; undefined puts the engine's own back). */
export function setOps(replacement: Ops | undefined): void {
  ops = replacement ?? globalThis.__ops ?? none;
}
