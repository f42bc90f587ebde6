import { type AnnotationRule, type Key, type Refusal, refused } from "./key.ts";
import { type SectionName, sectionNames, table } from "./table.ts";

/** How upstream's annotations begin. */
const KATA_PREFIX = "io.katacontainers.";
/** Those that set keys: this, a table's short name, upstream's name of the key. */
const CONFIG_PREFIX = `${KATA_PREFIX}config.`;
/** Names another configuration file. */
export const CONFIG_PATH = `${KATA_PREFIX}config_path`;
/** What the runtime tells of a container in its state. */
const OWN_PREFIX = `${KATA_PREFIX}pkg.oci.`;
/** Those of one container, not of its sandbox. */
export const CONTAINER_PREFIX = `${KATA_PREFIX}container.`;

/** What a known annotation is about. */
export type Subject =
  | KeySubject
  /** The SHA-512 that the file of a key of [hypervisor.qemu] must have. */
  | { readonly kind: "hash"; readonly base: string; readonly key: HashedKey }
  | { readonly kind: "refused"; readonly refusal: Refusal }
  /** It chose the configuration file, see {@link chooseConfigPath}. */
  | { readonly kind: "file" };

export interface KeySubject {
  readonly kind: "key";
  /** The last word of its name, which `enable_annotations` is about. */
  readonly base: string;
  readonly section: SectionName;
  readonly name: string;
  readonly key: Key<unknown>;
  readonly rule: AnnotationRule;
}

export type HashedKey = (typeof HASHED)[number][1];

/** Upstream's names of hashes, and the key that names the file. */
export const HASHED = [
  ["hypervisor_hash", "path"],
  ["kernel_hash", "kernel"],
  ["initrd_hash", "initrd"],
  ["firmware_hash", "firmware"],
] as const;

/** Where upstream's annotation is not called as its key. */
const OTHER_NAMES: ReadonlyMap<string, string> = new Map([
  ["default_maxvcpus", "default_max_vcpus"],
  ["block_device_logical_sector_size", "blk_logical_sector_size"],
  ["block_device_physical_sector_size", "blk_physical_sector_size"],
  ["initdata", "cc_init_data"],
  ["prefetch_list_path", "prefetch_files.list"],
]);

const onlySha512 = refused("hashes are SHA-512", "sha512");
const noGuestSwap = refused("the guest has no swap");

/** Annotations of upstream's that stand for no key of the tables. */
export const OTHERS: Readonly<Record<string, Refusal>> = {
  [`${KATA_PREFIX}asset_hash_type`]: onlySha512,
  [`${CONFIG_PREFIX}hypervisor.asset_hash_type`]: onlySha512,
  [`${CONFIG_PREFIX}hypervisor.path_hash`]: refused("its name is hypervisor_hash"),
  [`${CONFIG_PREFIX}hypervisor.image_hash`]: refused(
    "the guest's root file system is its initrd (initrd_hash)",
  ),
  [`${CONFIG_PREFIX}hypervisor.firmware_volume_hash`]: refused("firmware variables are not kept"),
  [`${CONFIG_PREFIX}hypervisor.jailer_hash`]: refused("QEMU is the only hypervisor"),
  [`${CONFIG_PREFIX}hypervisor.hypervisorctl_hash`]: refused("QEMU is the only hypervisor"),
  [`${KATA_PREFIX}enable_vcpus_pinning`]: table.runtime.refused.enable_vcpus_pinning,
  [`${CONTAINER_PREFIX}resource.swappiness`]: noGuestSwap,
  [`${CONTAINER_PREFIX}resource.swap_in_bytes`]: noGuestSwap,
  "sgx.intel.com/epc": refused("SGX enclaves are not supported"),
};

let subjects: ReadonlyMap<string, Subject> | undefined;

/** Every annotation that means something to the runtime, by its whole name. Made when it is first asked for: most commands do not. */
export function annotationSubjects(): ReadonlyMap<string, Subject> {
  subjects ??= new Map(allSubjects());
  return subjects;
}

/** Whether an annotation is for us to understand: one that we do not know is an error then. */
export function isOurs(name: string): boolean {
  return (name.startsWith(KATA_PREFIX) && !name.startsWith(OWN_PREFIX)) || Object.hasOwn(OTHERS, name);
}

/** The whole name of a key's annotation. */
export function annotationName(section: SectionName, key: string): string {
  return `${CONFIG_PREFIX}${section}.${OTHER_NAMES.get(key) ?? key}`;
}

function* allSubjects(): Generator<readonly [string, Subject]> {
  for (const section of sectionNames) {
    const keys: Readonly<Record<string, Key<unknown>>> = table[section].keys;
    for (const [name, key] of Object.entries(keys)) {
      yield [annotationName(section, name), subjectOf(section, name, key)];
    }
    for (const [name, refusal] of Object.entries(table[section].refused)) {
      yield [annotationName(section, name), { kind: "refused", refusal }];
    }
  }
  for (const [base, key] of HASHED) yield [`${CONFIG_PREFIX}hypervisor.${base}`, { kind: "hash", base, key }];
  for (const [name, refusal] of Object.entries(OTHERS)) yield [name, { kind: "refused", refusal }];
  yield [CONFIG_PATH, { kind: "file" }];
}

function subjectOf(section: SectionName, name: string, key: Key<unknown>): Subject {
  const base = OTHER_NAMES.get(name) ?? name;
  const { annotation: rule = "only the configuration file sets it" } = key;
  if (typeof rule === "string") return { kind: "refused", refusal: refused(rule) };
  return { kind: "key", base, section, name, key, rule };
}
