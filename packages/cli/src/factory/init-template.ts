import type { KataConfig } from "@kata-containers/config";
import { ENDING, makeTemplate, SignalInbox } from "@kata-containers/shim";
import { endingSignal } from "../ending-signal.ts";
import type { Globals } from "../globals.ts";
import { printText } from "../print.ts";
import { passOnWarning } from "../report-error.ts";

/** Makes the template, whatever is there. */
export async function initTemplate(config: KataConfig, globals: Globals): Promise<void> {
  using signals = new SignalInbox(ENDING);
  const interrupted = endingSignal(signals);
  const { warnings } = await makeTemplate({ config, debug: globals.debug, interrupted });
  for (const warning of warnings) passOnWarning(globals, warning);
  printText("vm factory initialized\n");
}
