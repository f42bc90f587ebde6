import { type KataConfig, restoreConfig } from "@kata-containers/config";
import { KataError, readText, writeText } from "@kata-containers/sys";
import { stateDir } from "../paths.ts";

const MAX_BYTES = 1 << 20;

/**
 * Where a sandbox's configuration is kept, as it was when the sandbox was made: the daemon and later commands go by it,
 * so that a file changed or broken since then does not matter.
 */
export function savedConfigPath(root: string, id: string): string {
  return `${stateDir(root, id)}/configuration.json`;
}

/** Writes it into the state directory, which is there already. @throws KataError */
export function saveConfig(root: string, id: string, config: KataConfig): void {
  const path = savedConfigPath(root, id);
  try {
    writeText(path, JSON.stringify(config), 0o600);
  } catch (cause) {
    throw new KataError("Internal", `cannot write state ${path}: ${KataError.from(cause).message}`, {
      cause,
    });
  }
}

/** @throws KataError NotFound, DataLoss */
export function loadSavedConfig(path: string): KataConfig {
  let text: string;
  try {
    text = readText(path, MAX_BYTES);
  } catch (error) {
    throw KataError.from(error, "cannot read the sandbox's configuration");
  }
  return restoreConfig(text, path);
}
