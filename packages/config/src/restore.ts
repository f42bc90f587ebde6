import { KataError } from "@kata-containers/sys";
import { configOf, mergeLayers } from "./merge.ts";
import { type KataConfig, sectionNames, table } from "./table.ts";

/**
 * Reads back a configuration that was written as JSON: the one that a sandbox was made with.
 * @param file names it in errors
 * @throws KataError DataLoss when it is none
 */
export function restoreConfig(json: string, file: string): KataConfig {
  const corrupt = (why: string) =>
    new KataError("DataLoss", `${file}: ${why} (it was changed, or is another version's)`);
  const saved = parseJson(json);
  if (saved === undefined || typeof saved.path !== "string") throw corrupt("is no configuration");
  const { dropIns, annotations } = saved;
  if (!isTexts(dropIns) || !isTexts(annotations)) throw corrupt("is no configuration");
  const values = { hypervisor: {}, factory: {}, agent: {}, runtime: {} };
  for (const section of sectionNames) {
    // A version before this one had no factory.
    if (section === "factory" && saved[section] === undefined) continue;
    const given = saved[section];
    if (!isRecord(given)) throw corrupt(`${section} is missing`);
    for (const [name, key] of Object.entries(table[section].keys)) {
      const checked = key.check(given[name]);
      if ("mustBe" in checked) throw corrupt(`${section}.${name} must be ${checked.mustBe}`);
      Object.assign(values[section], { [name]: checked.value });
    }
  }
  const layer = { path: saved.path, values, problems: [], place: () => file };
  return Object.freeze({ ...configOf(mergeLayers([layer])), dropIns, annotations });
}

function parseJson(json: string): Readonly<Record<string, unknown>> | undefined {
  try {
    const value: unknown = JSON.parse(json);
    return isRecord(value) ? value : undefined;
  } catch {
    return undefined;
  }
}

function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null;
}

function isTexts(value: unknown): value is readonly string[] {
  return Array.isArray(value) && value.every((item) => typeof item === "string");
}
