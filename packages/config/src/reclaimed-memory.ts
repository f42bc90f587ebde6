import { type Annotation, wrong } from "./annotation-error.ts";
import type { KataConfig } from "./table.ts";

const KEY = "reclaim_guest_freed_memory";
const HELD = ["enable_hugepages", "enable_mem_prealloc"] as const;

export type MemoryKey = typeof KEY | (typeof HELD)[number];

export interface MemoryConflict {
  readonly keys: readonly [MemoryKey, MemoryKey];
  /** What is wrong. */
  readonly text: string;
}

/**
 * Memory that is taken for good when the VM starts is not given back meanwhile: a huge page that went to somebody else would be missing when
 * the guest wants it again, and kill the VM.
 */
export function memoryConflict({ hypervisor }: KataConfig): MemoryConflict | undefined {
  const held = HELD.find((key) => hypervisor[key]);
  if (held === undefined || !hypervisor[KEY]) return undefined;
  return { keys: [KEY, held], text: `${KEY} and ${held} cannot both be true` };
}

/** @param annotationOf the annotation that set a key @throws KataError InvalidArgument */
export function refuseMemoryConflict(
  after: KataConfig,
  annotationOf: (key: MemoryKey) => Annotation | undefined,
): void {
  const conflict = memoryConflict(after);
  const annotation = conflict?.keys.map(annotationOf).find((each) => each !== undefined);
  if (conflict !== undefined && annotation !== undefined)
    throw wrong(annotation, `is not possible: ${conflict.text}`);
}
