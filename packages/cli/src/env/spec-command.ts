import { EXAMPLE_SPEC } from "@kata-containers/oci";
import { KataError } from "@kata-containers/sys";
import { specRow } from "../commands/spec.ts";
import { defineCommand } from "../define-command.ts";
import { writeSpec } from "./write-spec.ts";

export const specCommand = defineCommand({
  ...specRow,
  async run({ options }) {
    if (options.rootless) {
      throw new KataError("Unimplemented", "spec: --rootless: a sandbox needs root on the host");
    }
    writeSpec(options.bundle ?? ".", EXAMPLE_SPEC);
    return 0;
  },
});
