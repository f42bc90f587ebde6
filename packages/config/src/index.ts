export type { Key, ValueOf } from "./key.ts";
export { checkFiles, defaultPaths, loadConfig } from "./load.ts";
export { nearest } from "./nearest.ts";
export { parseConfig } from "./parse.ts";
export { type KataConfig, table } from "./table.ts";
export { type Overrides, renderDocs, renderTemplate } from "./template.ts";
