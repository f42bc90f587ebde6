// What is written down in a directory of templates, as JSON.

/** What a template says of itself. */
export interface TemplateDescription {
  /** The files that it was made from, by path: which ones they were, see `identityOfFile`. */
  readonly files: Readonly<Record<string, string>>;
  readonly vcpus: number;
  readonly memoryMiB: number;
  /** Milliseconds since 1970. */
  readonly createdMs: number;
}

/** What is written down of it. */
export interface TemplateRecord extends TemplateDescription {
  /** The host's boot that it is of. */
  readonly bootId: string;
}

/** undefined: it is none. @throws SyntaxError */
export function parseRecord(text: string): TemplateRecord | undefined {
  const record: unknown = JSON.parse(text);
  return isRecord(record) ? record : undefined;
}

function isRecord(value: unknown): value is TemplateRecord {
  if (typeof value !== "object" || value === null) return false;
  const { files, vcpus, memoryMiB, createdMs, bootId }: Partial<Record<string, unknown>> = { ...value };
  return (
    typeof files === "object" &&
    files !== null &&
    [bootId, ...Object.values(files)].every((each) => typeof each === "string") &&
    [vcpus, memoryMiB, createdMs].every((each) => typeof each === "number")
  );
}

/** Why a template could not be made. */
export interface Failure {
  readonly key: string;
  readonly why: string;
  /** Milliseconds since 1970. */
  readonly atMs: number;
}

/** undefined: it is not whole. */
export function parseFailure(text: string): Failure | undefined {
  try {
    const { key, why, atMs }: Partial<Record<keyof Failure, unknown>> = JSON.parse(text);
    const isWhole = typeof key === "string" && typeof why === "string" && typeof atMs === "number";
    return isWhole ? { key, why, atMs } : undefined;
  } catch {
    return undefined;
  }
}
