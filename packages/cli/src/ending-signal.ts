import { ENDING, type SignalInbox } from "@kata-containers/shim";
import { KataError, signalName } from "@kata-containers/sys";

/** Rejects when a signal says that this command is to end: whoever waits undoes then what was done. */
export function endingSignal(signals: SignalInbox): Promise<never> {
  return new Promise((_, reject) => {
    signals.failed.catch(reject);
    signals.deliver((signal) => {
      if (ENDING.some((ending) => ending === signal)) {
        reject(new KataError("Canceled", `interrupted by ${signalName(signal)}, everything was undone`));
      }
    });
  });
}
