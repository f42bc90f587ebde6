// The globals of globals.d.ts that QuickJS lacks, on top of the native ops. scripts/bundle.mjs puts this file in front of every program,
// because classes with [Symbol.dispose] need the symbol when they are defined. Does nothing on Node.
import { AbortControllerPolyfill, AbortSignalPolyfill } from "./abort.ts";
import { ops } from "./ops.ts";
import { clearTimer, setTimer } from "./timers.ts";

/** Defines a global unless the engine has it. */
function provide(name: string, value: unknown): void {
  if (!(name in globalThis))
    Object.defineProperty(globalThis, name, { value, writable: true, configurable: true });
}

for (const name of ["dispose", "asyncDispose"]) {
  if (!(name in Symbol)) Object.defineProperty(Symbol, name, { value: Symbol.for(`Symbol.${name}`) });
}

provide(
  "TextEncoder",
  class {
    encode(text = ""): Uint8Array {
      return ops.utf8Encode(text);
    }
  },
);
provide(
  "TextDecoder",
  class {
    readonly #fatal: boolean;
    constructor(_label = "utf-8", options: { fatal?: boolean } = {}) {
      this.#fatal = options.fatal ?? false;
    }
    decode(bytes: Uint8Array = new Uint8Array()): string {
      const text = ops.utf8Decode(bytes);
      if (this.#fatal && text.includes("\ufffd") && !same(ops.utf8Encode(text), bytes)) {
        throw new TypeError("invalid UTF-8");
      }
      return text;
    }
  },
);
provide("setTimeout", setTimer);
provide("clearTimeout", clearTimer);
provide("AbortSignal", AbortSignalPolyfill);
provide("AbortController", AbortControllerPolyfill);
provide("console", {
  log: (...values: unknown[]) => ops.writeSync(1, ops.utf8Encode(`${values.map(String).join(" ")}\n`)),
  error: (...values: unknown[]) => ops.writeSync(2, ops.utf8Encode(`${values.map(String).join(" ")}\n`)),
});

function same(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && a.every((byte, index) => byte === b[index]);
}
