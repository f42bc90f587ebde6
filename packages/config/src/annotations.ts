import { KataError } from "@kata-containers/sys";
import { sectionNames, table } from "./table.ts";

/** Upstream's annotations that change the configuration of one sandbox: this, a table's short name, a key. */
const PREFIX = "io.katacontainers.config.";

/**
 * Refuses annotations that ask for another configuration: whoever writes a pod's annotations does not choose what runs
 * as root. As upstream with an empty `enable_annotations`.
 * @throws KataError InvalidArgument naming the annotation, and the key to set instead when there is one
 */
export function refuseAnnotations(annotations: Readonly<Record<string, string>> = {}): void {
  const found = Object.keys(annotations).find((name) => name.startsWith(PREFIX));
  if (found === undefined) return;
  const [section, key = ""] = found.slice(PREFIX.length).split(".");
  const known = sectionNames.find((name) => name === section && Object.hasOwn(table[name].keys, key));
  const remedy = known === undefined ? "remove it" : `set ${key} of [${table[known].name}]`;
  throw new KataError(
    "InvalidArgument",
    `annotation ${found} is not enabled: annotations do not change the configuration (${remedy})`,
  );
}
