import { isSysError, KataError, O, ops } from "@kata-containers/sys";
import { specRow } from "../commands/spec.ts";
import { EXAMPLE_SPEC } from "../container/example-spec.ts";
import { defineCommand } from "../define-command.ts";
import { absolutePath } from "../paths.ts";

export const specCommand = defineCommand({
  ...specRow,
  async run({ options }) {
    if (options.rootless) {
      throw new KataError("Unimplemented", "spec: --rootless: a sandbox needs root on the host");
    }
    const path = absolutePath(`${options.bundle ?? "."}/config.json`);
    const text = `${JSON.stringify(EXAMPLE_SPEC, undefined, "\t")}\n`;
    try {
      ops.writeFile(path, ops.utf8Encode(text), O.CREAT | O.EXCL, 0o666);
    } catch (error) {
      if (isSysError(error, "EEXIST"))
        throw new KataError("AlreadyExists", "File config.json exists. Remove it first", { cause: error });
      throw KataError.from(error, "cannot write config.json");
    }
    return 0;
  },
});
