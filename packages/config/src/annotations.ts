import { type Annotation, denied, quote, wrong } from "./annotation-error.ts";
import { refuseBeyondLimits } from "./annotation-limits.ts";
import {
  annotationSubjects,
  CONTAINER_PREFIX,
  type HashedKey,
  isOurs,
  type KeySubject,
  type Subject,
} from "./annotation-names.ts";
import { type HostSize, readHostSize } from "./host-size.ts";
import { type AllowList, asBoolean, type Refusal } from "./key.ts";
import { nearest } from "./nearest.ts";
import { isPlainPath, matchesPathPattern, PLAIN_PATH } from "./path-pattern.ts";
import { refuseMemoryConflict } from "./reclaimed-memory.ts";
import type { KataConfig, SectionName } from "./table.ts";

export type Annotations = Readonly<Record<string, string>>;

/** Longer than any value of a key: PATH_MAX, and kernel parameters are at most 1,500. */
const MAX_VALUE = 4096;
/** Longer than any name that we know. */
const MAX_NAME = 128;

/**
 * The configuration of a sandbox whose config.json has these annotations: those that `enable_annotations` allows change
 * it, within the limits of the configuration and of the host. Whoever writes a pod's annotations is not trusted, the
 * configuration file is.
 * @param host is asked for its size only when an annotation is about it
 * @throws KataError PermissionDenied for an annotation that the configuration does not allow, InvalidArgument for one
 *   that is unknown, not supported, malformed or out of range: with its name, its value and the rule
 */
export function applyAnnotations(
  config: KataConfig,
  annotations: Annotations = {},
  host: () => HostSize = readHostSize,
): KataConfig {
  const settings = Object.entries(annotations)
    .filter(([name]) => isOurs(name))
    .map(([name, value]) => readAnnotation(config, { name, value }))
    .filter((setting) => setting !== undefined);
  if (settings.length === 0) return config;
  const changed = changedBy(config, settings);
  const annotationOf = (key: string) =>
    settings.find((setting) => setting.section === "hypervisor" && setting.key === key)?.annotation;
  refuseBeyondLimits(config, changed, annotationOf, host);
  refuseMemoryConflict(changed, annotationOf);
  return changed;
}

/**
 * Refuses annotations of a container that its pod's sandbox cannot follow. Those of the sandbox, which container
 * managers pass on to every container, were heeded when it was made.
 * @throws KataError InvalidArgument
 */
export function refuseContainerAnnotations(annotations: Annotations = {}): void {
  for (const [name, value] of Object.entries(annotations)) {
    if (name.startsWith(CONTAINER_PREFIX)) refuseWithoutKey({ name, value }, annotationSubjects().get(name));
  }
}

/** An annotation that says which SHA-512 the file of a key has. */
export interface WantedHash {
  readonly annotation: Annotation;
  readonly key: HashedKey;
  /** In hexadecimal, lower case. */
  readonly sha512: string;
}

/** The hashes that annotations ask for; {@link applyAnnotations} has found them right. */
export function wantedHashes(annotations: Annotations): WantedHash[] {
  return Object.entries(annotations).flatMap(([name, value]) => {
    const subject = isOurs(name) ? annotationSubjects().get(name) : undefined;
    if (subject?.kind !== "hash") return [];
    return [{ annotation: { name, value }, key: subject.key, sha512: value.toLowerCase() }];
  });
}

/** What an annotation sets a key to. */
interface Setting {
  readonly annotation: Annotation;
  readonly section: SectionName;
  readonly key: string;
  readonly value: unknown;
}

function readAnnotation(config: KataConfig, annotation: Annotation): Setting | undefined {
  const subject = annotationSubjects().get(annotation.name);
  if (subject?.kind === "file") return undefined;
  if (annotation.value.length > MAX_VALUE) throw wrong(annotation, `must be at most ${MAX_VALUE} characters`);
  if (subject?.kind !== "key" && subject?.kind !== "hash") {
    refuseWithoutKey(annotation, subject);
    return undefined;
  }
  refuseUnlessEnabled(config, annotation, subject.base);
  if (subject.kind === "hash") {
    if (!/^[0-9a-f]{128}$/i.test(annotation.value))
      throw wrong(annotation, "must be a SHA-512, of 128 hexadecimal digits");
    return undefined;
  }
  return {
    annotation,
    section: subject.section,
    key: subject.name,
    value: settingOf(config, annotation, subject),
  };
}

/** @throws KataError InvalidArgument unless the annotation asks for what is done anyway */
function refuseWithoutKey(annotation: Annotation, subject: Subject | undefined): void {
  if (subject?.kind !== "refused") {
    const near = nearestName(annotation.name);
    throw wrong(annotation, `is unknown (${near === undefined ? "remove it" : `did you mean ${near}?`})`);
  }
  const { reason, same } = subject.refusal;
  if (asksForSame(annotation.value, subject.refusal)) return;
  const remedy = same.map((each) => `, or set it to ${quote(asText(each))}`).join("");
  throw wrong(annotation, `is not supported: ${reason} (remove it${remedy})`);
}

/** One with the same first words and a last that is near, else one with the same last. */
function nearestName(name: string): string | undefined {
  if (name.length > MAX_NAME) return undefined;
  const known = [...annotationSubjects().keys()];
  const front = name.slice(0, name.lastIndexOf(".") + 1);
  const last = name.slice(front.length);
  const beside = known.filter((each) => each.startsWith(front)).map((each) => each.slice(front.length));
  const near = nearest(last, beside);
  return near === undefined ? known.find((each) => each.endsWith(`.${last}`)) : front + near;
}

function asksForSame(text: string, { same }: Refusal): boolean {
  return same.some((each) => (typeof each === "boolean" ? asBoolean(text) === each : asText(each) === text));
}

/** Upstream writes lists with blanks or semicolons between their items; the empty one is "" either way. */
function asText(value: unknown): string {
  return Array.isArray(value) ? value.join(" ") : String(value);
}

/** A pattern is looked for anywhere in the name's last word, as upstream does for [hypervisor.*]; here for every table. */
function refuseUnlessEnabled({ hypervisor, path }: KataConfig, annotation: Annotation, base: string): void {
  if (hypervisor.enable_annotations.some((pattern) => new RegExp(pattern, "u").test(base))) return;
  throw denied(
    annotation,
    `is not enabled: no pattern of enable_annotations of [hypervisor.qemu] in ${path} is found in ${base}`,
  );
}

function settingOf(config: KataConfig, annotation: Annotation, subject: KeySubject): unknown {
  const { section, name, key, rule } = subject;
  const own: unknown = Reflect.get(config[section], name);
  const given = key.fromText(annotation.value);
  const checked = key.check(given);
  if ("mustBe" in checked) throw wrong(annotation, `must be ${checked.mustBe}`);
  if (rule.allowList !== undefined && given !== own) refuseUnlisted(config, annotation, rule.allowList);
  if (rule.addedAfter === undefined || own === "") return given;
  const both = key.check(`${own}${rule.addedAfter}${given}`);
  if ("mustBe" in both)
    throw wrong(annotation, `must be ${both.mustBe}, together with ${name} of ${config.path}`);
  return both.value;
}

function refuseUnlisted(
  { hypervisor, path }: KataConfig,
  annotation: Annotation,
  allowList: AllowList,
): void {
  const { value } = annotation;
  if (!isPlainPath(value)) throw wrong(annotation, `must be ${PLAIN_PATH}`);
  if (hypervisor[allowList].some((pattern) => matchesPathPattern(value, pattern))) return;
  throw denied(
    annotation,
    `is not allowed: no pattern of ${allowList} of [hypervisor.qemu] in ${path} matches it`,
  );
}

function changedBy(config: KataConfig, settings: readonly Setting[]): KataConfig {
  return Object.freeze({
    ...config,
    hypervisor: sectionWith("hypervisor", config, settings),
    factory: sectionWith("factory", config, settings),
    agent: sectionWith("agent", config, settings),
    runtime: sectionWith("runtime", config, settings),
    annotations: settings.map(({ annotation }) => annotation.name),
  });
}

function sectionWith<S extends SectionName>(
  section: S,
  config: KataConfig,
  settings: readonly Setting[],
): KataConfig[S] {
  const values: Record<string, unknown> = { ...config[section] };
  for (const setting of settings) if (setting.section === section) values[setting.key] = setting.value;
  // Every value has passed the check of its key.
  return Object.freeze(values) as KataConfig[S];
}
