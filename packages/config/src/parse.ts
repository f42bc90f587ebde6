import { readLayer } from "./layer.ts";
import { configOf, mergeLayers } from "./merge.ts";
import type { KataConfig } from "./table.ts";

/**
 * Reads the text of one configuration file.
 * @param path names the file in errors
 * @throws KataError InvalidArgument: no TOML, an unknown table or key (with the nearest known one), a key that is not
 *   supported, a wrong value
 */
export function parseConfig(source: string, path: string): KataConfig {
  return configOf(mergeLayers([readLayer(source, path)]));
}
