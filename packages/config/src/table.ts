import type { ValueOf } from "./key.ts";
import { agent } from "./table/agent.ts";
import { factory } from "./table/factory.ts";
import { hypervisor } from "./table/hypervisor.ts";
import { runtime } from "./table/runtime.ts";

/**
 * Every table and key of configuration.toml, one file a table. The parser, the type `KataConfig`, the template and the
 * documentation all come from here. Names are upstream's where upstream has the key; `refused` are the keys of
 * upstream's that we do not have.
 */
export const table = { hypervisor, factory, agent, runtime } as const;

export type Table = typeof table;
export type SectionName = keyof Table;
export const sectionNames = [
  "hypervisor",
  "factory",
  "agent",
  "runtime",
] as const satisfies readonly SectionName[];

/** The configuration as a program sees it: `config.hypervisor.default_memory`. Frozen. */
export type KataConfig = {
  readonly [S in SectionName]: {
    readonly [K in keyof Table[S]["keys"]]: ValueOf<Table[S]["keys"][K]>;
  };
} & {
  /** The file it was read from. */
  readonly path: string;
  /** The drop-ins that changed it, in the order in which they were read. */
  readonly dropIns: readonly string[];
  /** The annotations of the sandbox that changed it. */
  readonly annotations: readonly string[];
};
