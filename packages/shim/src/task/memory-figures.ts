import type { CgroupV1MemoryStat, CgroupV2MemoryStat } from "@kata-containers/protocols";

// What the lines of memory.stat are called in the one version and in the other (Linux, admin-guide/cgroup-v1/memory.rst and
// admin-guide/cgroup-v2.rst). v2's count a group with those below it, as v1's total_ ones do. The guest's version need not be
// the host's: of a field's names the first that the guest has counts.

type Names<Field extends PropertyKey> = { readonly [F in Field]?: readonly string[] };

export const V1_MEMORY = {
  cache: ["cache", "file"],
  rss: ["rss", "anon"],
  rssHuge: ["rss_huge", "anon_thp"],
  mappedFile: ["mapped_file", "file_mapped"],
  dirty: ["dirty", "file_dirty"],
  writeback: ["writeback", "file_writeback"],
  pgPgIn: ["pgpgin"],
  pgPgOut: ["pgpgout"],
  pgFault: ["pgfault"],
  pgMajFault: ["pgmajfault"],
  inactiveAnon: ["inactive_anon"],
  activeAnon: ["active_anon"],
  inactiveFile: ["inactive_file"],
  activeFile: ["active_file"],
  unevictable: ["unevictable"],
  totalCache: ["total_cache", "file"],
  totalRss: ["total_rss", "anon"],
  totalRssHuge: ["total_rss_huge", "anon_thp"],
  totalMappedFile: ["total_mapped_file", "file_mapped"],
  totalDirty: ["total_dirty", "file_dirty"],
  totalWriteback: ["total_writeback", "file_writeback"],
  totalPgPgIn: ["total_pgpgin"],
  totalPgPgOut: ["total_pgpgout"],
  totalPgFault: ["total_pgfault", "pgfault"],
  totalPgMajFault: ["total_pgmajfault", "pgmajfault"],
  totalInactiveAnon: ["total_inactive_anon", "inactive_anon"],
  totalActiveAnon: ["total_active_anon", "active_anon"],
  totalInactiveFile: ["total_inactive_file", "inactive_file"],
  totalActiveFile: ["total_active_file", "active_file"],
  totalUnevictable: ["total_unevictable", "unevictable"],
} as const satisfies Names<keyof CgroupV1MemoryStat>;

export const V2_MEMORY = {
  anon: ["anon", "total_rss"],
  file: ["file", "total_cache"],
  kernelStack: ["kernel_stack"],
  slab: ["slab"],
  sock: ["sock"],
  shmem: ["total_shmem", "shmem"],
  fileMapped: ["file_mapped", "total_mapped_file"],
  fileDirty: ["file_dirty", "total_dirty"],
  fileWriteback: ["file_writeback", "total_writeback"],
  anonThp: ["anon_thp", "total_rss_huge"],
  inactiveAnon: ["total_inactive_anon", "inactive_anon"],
  activeAnon: ["total_active_anon", "active_anon"],
  inactiveFile: ["total_inactive_file", "inactive_file"],
  activeFile: ["total_active_file", "active_file"],
  unevictable: ["total_unevictable", "unevictable"],
  slabReclaimable: ["slab_reclaimable"],
  slabUnreclaimable: ["slab_unreclaimable"],
  pgfault: ["total_pgfault", "pgfault"],
  pgmajfault: ["total_pgmajfault", "pgmajfault"],
  workingsetRefault: ["workingset_refault"],
  workingsetActivate: ["workingset_activate"],
  workingsetNodereclaim: ["workingset_nodereclaim"],
  pgrefill: ["pgrefill"],
  pgscan: ["pgscan"],
  pgsteal: ["pgsteal"],
  pgactivate: ["pgactivate"],
  pgdeactivate: ["pgdeactivate"],
  pglazyfree: ["pglazyfree"],
  pglazyfreed: ["pglazyfreed"],
  thpFaultAlloc: ["thp_fault_alloc"],
  thpCollapseAlloc: ["thp_collapse_alloc"],
} as const satisfies Names<keyof CgroupV2MemoryStat>;

/** The fields that the guest's memory.stat tells. */
export function memoryFigures<Field extends string>(
  stats: ReadonlyMap<string, bigint>,
  names: Readonly<Record<Field, readonly string[]>>,
): Partial<Record<Field, bigint>> {
  const figures: Partial<Record<Field, bigint>> = {};
  for (const field in names) {
    const name = names[field].find((one) => stats.has(one));
    const figure = name === undefined ? undefined : stats.get(name);
    if (figure !== undefined) figures[field] = figure;
  }
  return figures;
}
