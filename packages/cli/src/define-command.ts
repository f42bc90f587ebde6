import { commandDefiner } from "./command-definer.ts";
import type { Globals } from "./globals.ts";

/** Makes a row of kata-runtime's command table. */
export const defineCommand = commandDefiner<Globals>("kata-runtime");
