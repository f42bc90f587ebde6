import type { KataConfig } from "@kata-containers/config";
import { isSysError, KataError } from "@kata-containers/sys";
import { currentBootId } from "../persist/process-identity.ts";
import { TemplateDirectory } from "./template-directory.ts";
import { identityOfFile } from "./template-key.ts";
import { currentTemplateKey } from "./template-plan.ts";
import type { TemplateRecord } from "./template-record.ts";

/** A template that is there. */
export interface TemplateStatus extends TemplateRecord {
  readonly key: string;
  /**
   * "current": the next sandbox is a copy of it. "stale": nobody will copy it any more, the next one that is made removes it. "other":
   * sandboxes with other settings, by annotations or in another configuration file, may be copies of it.
   */
  readonly state: "current" | "other" | "stale";
  readonly bytesOnDisk: number;
}

/**
 * All templates in the configuration's template_path, the current one first.
 * @throws KataError PermissionDenied, FailedPrecondition when the directory is not ours; as `currentTemplateKey`
 */
export function templateStatus(config: KataConfig): TemplateStatus[] {
  const directory = new TemplateDirectory(config.factory.template_path);
  if (!directory.isThere()) return [];
  const current = currentTemplateKey(config);
  const all = [...directory.list()].map(([key, record]): TemplateStatus => {
    const state = key === current ? "current" : isStale(record) ? "stale" : "other";
    return { key, ...record, state, bytesOnDisk: directory.bytesOnDisk(key) };
  });
  return all.sort((one, other) => ORDER[one.state] - ORDER[other.state] || other.createdMs - one.createdMs);
}

const ORDER = { current: 0, other: 1, stale: 2 } as const;

function isStale({ files, bootId }: TemplateRecord): boolean {
  return (
    bootId !== currentBootId() ||
    Object.entries(files).some(([path, identity]) => identityIfThere(path) !== identity)
  );
}

function identityIfThere(path: string): string | undefined {
  try {
    return identityOfFile(path);
  } catch (error) {
    if (error instanceof KataError && isSysError(error.cause)) return undefined;
    throw error;
  }
}
