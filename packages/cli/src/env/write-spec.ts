import type { Spec } from "@kata-containers/oci";
import { isSysError, KataError, O, ops } from "@kata-containers/sys";
import { absolutePath } from "../paths.ts";

/** Writes a bundle's config.json; one that is there is left alone. @throws KataError AlreadyExists */
export function writeSpec(bundle: string, spec: Spec): void {
  const path = absolutePath(`${bundle}/config.json`);
  const text = `${JSON.stringify(spec, undefined, "\t")}\n`;
  try {
    ops.writeFile(path, ops.utf8Encode(text), O.CREAT | O.EXCL, 0o666);
  } catch (error) {
    if (isSysError(error, "EEXIST"))
      throw new KataError("AlreadyExists", "File config.json exists. Remove it first", { cause: error });
    throw KataError.from(error, "cannot write config.json");
  }
}
