import { mountOptionNames } from "@kata-containers/launch";
import { featuresRow } from "../commands/features.ts";
import { defineCommand } from "../define-command.ts";
import { printText } from "../print.ts";
import { describeFeatures } from "./features.ts";

export const featuresCommand = defineCommand({
  ...featuresRow,
  async run() {
    const features = describeFeatures({
      hooks: ["prestart", "createRuntime", "poststart", "poststop"],
      // Id-mapped mounts do not reach the guest.
      mountOptions: mountOptionNames().filter((name) => !name.endsWith("idmap")),
      native: false,
      unsafeAnnotations: ["io.katacontainers.config.", "io.katacontainers.config_path"],
    });
    printText(`${JSON.stringify(features, undefined, 4)}\n`);
    return 0;
  },
});
