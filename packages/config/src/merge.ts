import { KataError } from "@kata-containers/sys";
import type { Layer } from "./layer.ts";
import { memoryConflict } from "./reclaimed-memory.ts";
import { type KataConfig, type SectionName, table } from "./table.ts";

/** A configuration, or all that is wrong with it. */
export type Reading =
  | { readonly config: KataConfig; readonly problems: readonly [] }
  | { readonly config: undefined; readonly problems: readonly [string, ...string[]] };

/** @throws KataError InvalidArgument with the first problem, and how many more there are */
export function configOf({ config, problems }: Reading): KataConfig {
  if (config !== undefined) return config;
  const more = problems.length - 1;
  const rest = more === 0 ? "" : ` (and ${more} more: kata-runtime check lists them)`;
  throw new KataError("InvalidArgument", problems[0] + rest);
}

/** Joins what the configuration file and its drop-ins say: the last one that has a key wins. */
export function mergeLayers(layers: readonly [Layer, ...Layer[]]): Reading {
  const [first, ...dropIns] = layers;
  const problems = layers.flatMap((layer) => layer.problems);
  const config = {
    path: first.path,
    dropIns: dropIns.map((layer) => layer.path),
    annotations: [],
    hypervisor: mergeSection("hypervisor", layers),
    factory: mergeSection("factory", layers),
    agent: mergeSection("agent", layers),
    runtime: mergeSection("runtime", layers),
  };
  if (problems.length === 0) problems.push(...conflicts(config, layers));
  const [problem, ...more] = problems;
  if (problem !== undefined) return { config: undefined, problems: [problem, ...more] };
  return { config: Object.freeze(config), problems: [] };
}

function mergeSection<S extends SectionName>(section: S, layers: readonly Layer[]): KataConfig[S] {
  const values: Record<string, unknown> = {};
  for (const [name, key] of Object.entries(table[section].keys)) values[name] = key.default;
  for (const layer of layers) Object.assign(values, layer.values[section]);
  // Every key of the table has its default or a value that its check has passed: what KataConfig is computed from.
  return Object.freeze(values) as KataConfig[S];
}

type HypervisorKey = keyof KataConfig["hypervisor"];

/** Values that are right alone and wrong together. */
function conflicts(config: KataConfig, layers: readonly Layer[]): string[] {
  const { hypervisor } = config;
  const found: string[] = [];
  /** At the last place that sets one of the two; at the first of them, where both are set. */
  const tell = (keys: readonly [HypervisorKey, HypervisorKey], text: string) => {
    const named = layers.findLast(({ values }) => keys.some((key) => key in values.hypervisor));
    const place = named?.place("hypervisor", keys[0] in named.values.hypervisor ? keys[0] : keys[1]);
    found.push(`${place}: [hypervisor.qemu] ${text}`);
  };
  const notAbove = (
    key: "default_vcpus" | "default_memory",
    limit: "default_maxvcpus" | "default_maxmemory",
  ) => {
    if (hypervisor[limit] === 0 || hypervisor[key] <= hypervisor[limit]) return;
    tell([key, limit], `${key} is ${hypervisor[key]}, more than ${limit}, ${hypervisor[limit]}`);
  };
  notAbove("default_vcpus", "default_maxvcpus");
  notAbove("default_memory", "default_maxmemory");
  const conflict = memoryConflict(config);
  if (conflict !== undefined) tell(conflict.keys, conflict.text);
  return found;
}
