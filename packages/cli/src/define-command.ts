import type { AnyCommand, Command, Options } from "./command.ts";
import { commandDefiner } from "./command-definer.ts";
import type { Globals } from "./globals.ts";
import { requireRoot } from "./require-root.ts";

/** A row of kata-runtime's. */
interface Row<O extends Options> extends Command<O, Globals> {
  /** It needs no sandbox: not for root alone. */
  readonly anyUser?: true;
}

const define = commandDefiner<Globals>("kata-runtime");

/** Makes a row of kata-runtime's command table: whoever is not root is told so before anything is done. */
export function defineCommand<const O extends Options>(row: Row<O>): AnyCommand<Globals> {
  if (row.anyUser) return define(row);
  return define({
    ...row,
    async run(invocation) {
      requireRoot(row.name);
      return await row.run(invocation);
    },
  });
}
