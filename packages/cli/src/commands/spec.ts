import { isSysError, KataError, O, ops } from "@kata-containers/sys";
import { EXAMPLE_SPEC } from "../container/example-spec.ts";
import { defineCommand } from "../define-command.ts";
import { absolutePath } from "../paths.ts";

export const spec = defineCommand({
  name: "spec",
  summary: "write an example config.json",
  description:
    "For a bundle with a root file system in `rootfs`: a shell on a terminal. A file that is there is left alone.",
  args: [],
  options: {
    bundle: { short: "b", value: "DIR", help: "the bundle to write it in (default: the current directory)" },
    rootless: { help: "refused: a sandbox needs root on the host" },
  },
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
