import { commandDefiner } from "@kata-containers/cli";
import type { Globals } from "./globals.ts";

/** Makes a row of runk's command table. */
export const defineCommand = commandDefiner<Globals>("runk");
