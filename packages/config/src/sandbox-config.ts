import { KataError, ops } from "@kata-containers/sys";
import { denied, wrong } from "./annotation-error.ts";
import { CONFIG_PATH } from "./annotation-names.ts";
import { type Annotations, applyAnnotations } from "./annotations.ts";
import { checkHashes } from "./check-hashes.ts";
import { checkFiles, findConfig, loadConfig } from "./load.ts";
import { isPlainPath, matchesPathPattern, PLAIN_PATH } from "./path-pattern.ts";
import type { KataConfig } from "./table.ts";

/** Who may say which configuration file a new sandbox has. */
export interface ConfigSources {
  /** Of config.json: its writer is not trusted. */
  readonly annotations?: Annotations | undefined;
  /** kata-runtime's --config; ConfigPath of the shim's runtime options. Not said: undefined or "". */
  readonly optionsPath?: string | undefined;
  /** "NAME=value"; KATA_CONF_FILE counts. Without it: this process's. */
  readonly env?: readonly string[];
}

/** The file that a sandbox's configuration is read from. */
export interface ConfigChoice {
  /** What the host's administrator chose. */
  readonly path: string;
  /** What the annotation io.katacontainers.config_path chose instead, if `valid_config_paths` of the other allows it. */
  readonly annotated: string | undefined;
}

/**
 * Which file a sandbox's configuration is read from. The first of these counts, as in upstream's shim: the annotation
 * io.katacontainers.config_path, the options' path, KATA_CONF_FILE, the first default path that exists.
 * @throws KataError InvalidArgument for a path that is not absolute, NotFound when there is no file
 */
export function chooseConfigPath({
  annotations = {},
  optionsPath,
  env = ops.env(),
}: ConfigSources): ConfigChoice {
  if (optionsPath !== undefined && optionsPath !== "" && !optionsPath.startsWith("/"))
    throw new KataError("InvalidArgument", `the configuration ${optionsPath}: must be an absolute path`);
  const annotated = Object.hasOwn(annotations, CONFIG_PATH) ? annotations[CONFIG_PATH] : undefined;
  if (annotated !== undefined && !isPlainPath(annotated))
    throw wrong({ name: CONFIG_PATH, value: annotated }, `must be ${PLAIN_PATH}`);
  return { path: findConfig(optionsPath, env), annotated };
}

/**
 * The configuration of a new sandbox: read from the file that is chosen, changed by the annotations that it allows.
 * Every file that it names is there, and has the hash that an annotation says. Nothing was changed when it throws.
 * @throws KataError as loadConfig, applyAnnotations, checkFiles and checkHashes do; PermissionDenied when the annotation
 *   names a file that `valid_config_paths` does not allow
 */
export function loadSandboxConfig(sources: ConfigSources): KataConfig {
  const { path, annotated } = chooseConfigPath(sources);
  const chosen = loadConfig(path);
  const file = annotated === undefined || annotated === path ? chosen : loadAllowed(annotated, chosen);
  const config = applyAnnotations(file, sources.annotations);
  checkFiles(config);
  checkHashes(config, sources.annotations);
  return config;
}

/** Reads no file that is not allowed: the error would tell whether it is there. */
function loadAllowed(annotated: string, { path, runtime }: KataConfig): KataConfig {
  if (runtime.valid_config_paths.some((pattern) => matchesPathPattern(annotated, pattern)))
    return loadConfig(annotated);
  throw denied(
    { name: CONFIG_PATH, value: annotated },
    `is not allowed: no pattern of valid_config_paths of [runtime] in ${path} matches it`,
  );
}
