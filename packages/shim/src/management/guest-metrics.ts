import { KataError } from "@kata-containers/sys";

/** How long a guest may take to tell its figures, ms: whoever collects them waits for 10 s at most, and the host's are ready. */
export const GUEST_MS = 5_000;

/** Characters of a guest's figures: upstream's agent has some 100,000 in a small VM. */
const MAX_TEXT = 512 << 10;
const MAX_LINE = 1024;

/** Families that a guest may tell of: it must not speak for the host. */
const NAME = "(kata_(?:guest|agent)_\\w+)";
/** No control characters, and of escapes those that there are. */
const HELP = escaped("\\\\", "[\\\\n]");
const DESCRIPTION = new RegExp(`^# (?:HELP ${NAME} ${HELP}|TYPE ${NAME} (?:gauge|counter|untyped))$`);
const QUOTED = `"${escaped('"\\\\', '["\\\\n]')}"`;
/**
 * Labels of upstream's families, in its order. Others, as those that kata-monitor adds to each sandbox's figures, could end up there
 * twice.
 */
const LABELS = `(?:(?:cpu|disk|interface)=${QUOTED},)?item=${QUOTED}`;
/** None that is out of a float's range: Go refuses it. */
const VALUE = "(?:NaN|[+-]?Inf|[+-]?\\d{1,40}(?:\\.\\d{0,40})?(?:[eE][+-]?\\d{1,2})?)";
const SAMPLE = new RegExp(`^${NAME}(?:\\{(?:${LABELS})?\\})? ${VALUE}$`);

/** A pattern for text. @param apart what is in it only behind a backslash, if at all @param escapes what may follow one */
function escaped(apart: string, escapes: string): string {
  const plain = `[^${apart}\\0-\\x1f\\x7f-\\x9f]*`;
  return `${plain}(?:\\\\${escapes}${plain})*`;
}

/**
 * The figures that a guest, which may be hostile, tells of itself: whoever reads them reads the host's in the same text, and those of
 * other sandboxes beside it.
 * @returns the text, ended by a newline unless it is empty
 * @throws KataError InvalidArgument when it is not Prometheus's text format, or has other families, types or labels
 */
export function checkGuestMetrics(text: string): string {
  if (text.length > MAX_TEXT) throw invalid(`${text.length} characters, at most ${MAX_TEXT} are taken`);
  const families = new Families();
  const lines = text.split("\n").filter((line) => line !== "");
  for (const line of lines) checkLine(line, families);
  return lines.length === 0 ? "" : `${lines.join("\n")}\n`;
}

function checkLine(line: string, families: Families): void {
  if (line.length > MAX_LINE) throw invalid(`a line of ${line.length} characters`);
  const comment = line.startsWith("#");
  const [, help, type] = (comment ? DESCRIPTION.exec(line) : null) ?? [];
  const [, sampled] = (comment ? null : SAMPLE.exec(line)) ?? [];
  if (help !== undefined) families.describe(help, "HELP");
  else if (type !== undefined) families.describe(type, "TYPE");
  else if (sampled !== undefined) families.addSample(sampled);
  else throw invalid(`line ${JSON.stringify(line.slice(0, 80))}`);
}

/** Each family is in one piece, described before its samples and once: else a reader refuses everything (Prometheus's text format). */
class Families {
  readonly #seen = new Set<string>();
  #name = "";
  readonly #described = new Set<string>();
  #hasSamples = false;

  describe(name: string, what: "HELP" | "TYPE"): void {
    this.#enter(name);
    if (this.#hasSamples || this.#described.has(what))
      throw invalid(`family ${name}: ${what} is out of place`);
    this.#described.add(what);
  }

  addSample(name: string): void {
    this.#enter(name);
    this.#hasSamples = true;
  }

  #enter(name: string): void {
    if (name === this.#name) return;
    if (this.#seen.has(name)) throw invalid(`family ${name}: is there twice`);
    this.#seen.add(name);
    this.#name = name;
    this.#described.clear();
    this.#hasSamples = false;
  }
}

function invalid(what: string): KataError {
  return new KataError("InvalidArgument", `metrics of the guest: ${what}`);
}
