import { exists, KataError, ops, readText, SysError } from "@kata-containers/sys";
import type { Key } from "./key.ts";
import { parseConfig } from "./parse.ts";
import { type KataConfig, table } from "./table.ts";

/** Where a configuration is looked for when nobody names one, in this order. */
export const defaultPaths = [
  "/etc/kata-containers/configuration.toml",
  "/usr/share/defaults/kata-containers/configuration.toml",
] as const;

const maxBytes = 1024 * 1024;

/**
 * Reads the configuration: the given file, else the one that KATA_CONF_FILE names, else the first default path that
 * exists.
 * @throws KataError NotFound when there is none (the text lists what was searched), InvalidArgument when it is wrong
 */
export function loadConfig(path?: string): KataConfig {
  const found = findConfig(path);
  return parseConfig(readConfig(found), found);
}

/**
 * Checks that each file that the configuration names is there, so that nothing is started in vain.
 * @throws KataError NotFound, naming configuration file, key and path
 */
export function checkFiles(config: KataConfig): void {
  for (const section of ["hypervisor", "agent", "runtime"] as const) {
    const keys: Readonly<Record<string, Key<unknown>>> = table[section].keys;
    for (const [name, value] of Object.entries(config[section])) {
      if (keys[name]?.file !== true || typeof value !== "string") continue;
      const reason = unusable(value);
      if (reason === undefined) continue;
      throw new KataError(
        "NotFound",
        `${value}: ${reason} (key ${name} of [${table[section].name}] in ${config.path})`,
      );
    }
  }
}

function findConfig(path: string | undefined): string {
  if (path !== undefined && path !== "") return path;
  const fromEnvironment = environment("KATA_CONF_FILE");
  if (fromEnvironment !== undefined && fromEnvironment !== "") return fromEnvironment;
  const found = defaultPaths.find((candidate) => exists(candidate));
  if (found !== undefined) return found;
  const searched = defaultPaths.join(" and ");
  throw new KataError(
    "NotFound",
    `no configuration file: searched ${searched} (name one by --config or KATA_CONF_FILE)`,
  );
}

function readConfig(path: string): string {
  try {
    return readText(path, maxBytes);
  } catch (error) {
    if (!(error instanceof SysError)) throw error;
    throw new KataError("NotFound", `cannot read the configuration: ${error.message}`, { cause: error });
  }
}

function unusable(path: string): string | undefined {
  try {
    const isDirectory = (ops.stat(path).mode & 0o170000) === 0o040000;
    return isDirectory ? "is a directory" : undefined;
  } catch (error) {
    if (error instanceof SysError) return error.code === "ENOENT" ? "no such file" : error.message;
    throw error;
  }
}

function environment(name: string): string | undefined {
  const prefix = `${name}=`;
  return ops
    .env()
    .find((entry) => entry.startsWith(prefix))
    ?.slice(prefix.length);
}
