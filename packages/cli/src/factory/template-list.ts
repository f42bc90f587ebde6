import type { KataConfig } from "@kata-containers/config";
import type { CacheStatus, IdleVm } from "@kata-containers/shim";
import { ops } from "@kata-containers/sys";
import { type TemplateStatus, templateStatus } from "@kata-containers/virtcontainers";
import { idleMemoryCost } from "../container/memory-cost.ts";
import { renderTable } from "../table.ts";
import { cacheStatus } from "./cache.ts";

/** What `factory status` tells, in the order of its JSON. */
export interface FactoryStatus {
  readonly enabled: boolean;
  /** Whether the next sandbox finds its template. */
  readonly on: boolean;
  readonly path: string;
  /** Those that wait ready made; absent: there is no cache. */
  readonly cache?: ListedCache;
  readonly templates: readonly ListedTemplate[];
}

export interface ListedCache {
  /** Of its server. */
  readonly pid: number;
  readonly vms: readonly ListedVm[];
}

export interface ListedVm extends IdleVm {
  /** What its processes cost the host, see {@link idleMemoryCost}. */
  readonly proportionalMemoryBytes: number;
}

export interface ListedTemplate {
  readonly key: string;
  readonly state: TemplateStatus["state"];
  readonly vcpus: number;
  readonly memoryMiB: number;
  readonly bytesOnDisk: number;
  /** RFC 3339. */
  readonly created: string;
  readonly ageSeconds: number;
}

/** @throws KataError as `templateStatus` */
export async function describeStatus(config: KataConfig): Promise<FactoryStatus> {
  const { enable_template, template_path: path, vm_cache_number } = config.factory;
  const cache = vm_cache_number > 0 ? await cacheStatus(config) : undefined;
  const enabled = enable_template || vm_cache_number > 0;
  const templates = enable_template ? templateStatus(config) : [];
  const on = templates.some(({ state }) => state === "current") || cache !== undefined;
  return {
    ...{ enabled, on, path },
    ...(cache === undefined ? {} : { cache: listedCache(cache) }),
    templates: templates.map(listed),
  };
}

function listedCache({ pid, vms }: CacheStatus): ListedCache {
  return { pid, vms: vms.map((vm) => ({ ...vm, proportionalMemoryBytes: idleMemoryCost(vm.pid) })) };
}

function listed({ key, state, vcpus, memoryMiB, bytesOnDisk, createdMs }: TemplateStatus): ListedTemplate {
  const created = new Date(createdMs).toISOString();
  // The host's clock may have been set back.
  const ageSeconds = Math.max(0, Math.floor((ops.realtimeMs() - createdMs) / 1000));
  return { key, state, vcpus, memoryMiB, bytesOnDisk, created, ageSeconds };
}

/** Upstream's line, and a table of what is there. */
export function renderStatus({ enabled, on, cache, templates }: FactoryStatus): string {
  if (!enabled) return "vm factory not enabled\n";
  const line = `vm factory is ${on ? "on" : "off"}\n${renderCache(cache)}`;
  if (templates.length === 0) return line;
  const rows = templates.map(({ key, state, vcpus, memoryMiB, bytesOnDisk, ageSeconds }) => [
    key,
    state,
    String(vcpus),
    `${memoryMiB} MiB`,
    `${Math.ceil(bytesOnDisk / 2 ** 20)} MiB`,
    renderAge(ageSeconds),
  ]);
  return `${line}${renderTable([["TEMPLATE", "STATE", "VCPUS", "MEMORY", "ON DISK", "AGE"], ...rows])}`;
}

/** Upstream's lines, and at the end of each what a virtual machine costs the host. */
function renderCache(cache: ListedCache | undefined): string {
  if (cache === undefined) return "";
  const vms = cache.vms.map(
    ({ pid, vcpus, memoryMiB, proportionalMemoryBytes }) =>
      `VM pid = ${pid} Cpu = ${vcpus} Memory = ${memoryMiB}MiB Cost = ${Math.ceil(proportionalMemoryBytes / 2 ** 20)}MiB\n`,
  );
  return `VM cache server pid = ${cache.pid}\n${vms.join("")}`;
}

/** In the largest unit of which it is more than one. */
export function renderAge(seconds: number): string {
  const [size, unit] = UNITS.find(([size]) => seconds >= 2 * size) ?? [1, "s"];
  return `${Math.floor(seconds / size)} ${unit}`;
}

const UNITS = [
  [86_400, "days"],
  [3_600, "h"],
  [60, "min"],
] as const;
