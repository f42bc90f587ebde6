export { renderAnnotationDocs } from "./annotation-docs.ts";
export { type Annotations, applyAnnotations, refuseContainerAnnotations } from "./annotations.ts";
export { type HostSize, readHostSize } from "./host-size.ts";
export { type Key, splitWords, type ValueOf } from "./key.ts";
export { checkFiles, defaultPaths, findConfig, loadConfig, readConfig } from "./load.ts";
export type { Reading } from "./merge.ts";
export { nearest } from "./nearest.ts";
export { parseConfig } from "./parse.ts";
export { restoreConfig } from "./restore.ts";
export {
  type ConfigChoice,
  type ConfigSources,
  chooseConfigPath,
  loadSandboxConfig,
} from "./sandbox-config.ts";
export { type KataConfig, table } from "./table.ts";
export { type Overrides, renderDocs, renderTemplate } from "./template.ts";
