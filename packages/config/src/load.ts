import { environment, exists, isSysError, KataError, ops, SysError } from "@kata-containers/sys";
import { annotationName } from "./annotation-names.ts";
import type { Key } from "./key.ts";
import { readLayer } from "./layer.ts";
import { configOf, mergeLayers, type Reading } from "./merge.ts";
import { readTrusted, refuseUntrusted } from "./read-trusted.ts";
import { type KataConfig, sectionNames, table } from "./table.ts";

/** Where a configuration is looked for when nobody names one, in this order. */
export const defaultPaths = [
  "/etc/kata-containers/configuration.toml",
  "/usr/share/defaults/kata-containers/configuration.toml",
] as const;

/** The directory of drop-ins, beside the configuration. */
const DROP_IN_DIR = "config.d";

/**
 * Reads the configuration: the given file, else the one that KATA_CONF_FILE names, else the first default path that
 * exists; then the `*.toml` of `config.d` beside it, in the order of their names.
 * @throws KataError NotFound when there is none (the text lists what was searched), PermissionDenied when somebody else
 *   can change it, InvalidArgument when it is wrong
 */
export function loadConfig(path?: string): KataConfig {
  return configOf(readConfig(findConfig(path)));
}

/**
 * The file that {@link loadConfig} reads.
 * @param env "NAME=value", as ops.env() gives it
 * @throws KataError NotFound
 */
export function findConfig(path?: string, env: readonly string[] = ops.env()): string {
  if (path !== undefined && path !== "") return path;
  const fromEnvironment = environment("KATA_CONF_FILE", env);
  if (fromEnvironment !== undefined && fromEnvironment !== "") return absolute(fromEnvironment);
  const found = defaultPaths.find((candidate) => exists(candidate));
  if (found !== undefined) return found;
  const searched = defaultPaths.join(" and ");
  throw new KataError(
    "NotFound",
    `no configuration file: searched ${searched} (name one by --config or KATA_CONF_FILE)`,
  );
}

/**
 * Reads a configuration file and its drop-ins, and tells all that is wrong in them.
 * @throws KataError when a file cannot be read, or somebody else can change it
 */
export function readConfig(path: string): Reading {
  const read = (file: string) => readLayer(readTrusted(file), file);
  return mergeLayers([read(path), ...dropIns(path).map(read)]);
}

const WITHOUT_VIRTIOFSD = '; install virtiofsd, or set shared_fs = "virtio-9p", which is slower';

/**
 * Checks that each file that the configuration names is there, so that nothing is started in vain.
 * @throws KataError NotFound, naming path, key and configuration file, or the annotation
 */
export function checkFiles(config: KataConfig): void {
  for (const section of sectionNames) {
    const keys: Readonly<Record<string, Key<unknown>>> = table[section].keys;
    for (const [name, value] of Object.entries(config[section])) {
      if (keys[name]?.file !== true || typeof value !== "string" || value === "") continue;
      const shareServer = name === "virtio_fs_daemon";
      if (shareServer && config.hypervisor.shared_fs !== "virtio-fs") continue;
      const reason = unusable(value);
      if (reason === undefined) continue;
      const annotation = annotationName(section, name);
      const source = config.annotations.includes(annotation)
        ? `annotation ${annotation}`
        : `key ${name} of [${table[section].name}] in ${config.path}`;
      throw new KataError(
        "NotFound",
        `${value}: ${reason} (${source}${shareServer ? WITHOUT_VIRTIOFSD : ""})`,
      );
    }
  }
}

/** The drop-ins of a configuration file, in the order in which they are read. */
function dropIns(path: string): string[] {
  const directory = `${path.slice(0, path.lastIndexOf("/"))}/${DROP_IN_DIR}`;
  const names = entries(directory).filter((name) => name.endsWith(".toml") && !name.startsWith("."));
  if (names.length > 0) refuseUntrusted(directory, ops.stat(directory));
  return names.sort().map((name) => `${directory}/${name}`);
}

function entries(directory: string): string[] {
  try {
    return ops.readdir(directory).map(({ name }) => name);
  } catch (error) {
    if (isSysError(error, "ENOENT", "ENOTDIR")) return [];
    throw KataError.from(error, "cannot read the configuration's drop-ins");
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

function absolute(path: string): string {
  return path.startsWith("/") ? path : `${ops.readlink("/proc/self/cwd")}/${path}`;
}
