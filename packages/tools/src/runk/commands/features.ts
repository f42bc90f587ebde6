import { describeFeatures, printText } from "@kata-containers/cli";
import { mountOptionNames } from "@kata-containers/launch";
import { defineCommand } from "../define-command.ts";

export const features = defineCommand({
  name: "features",
  summary: "print what this build can do as JSON",
  description: "The structure of the OCI runtime specification (features.md).",
  args: [],
  options: {},
  async run() {
    const text = describeFeatures({
      hooks: ["prestart", "createRuntime", "createContainer", "startContainer", "poststart", "poststop"],
      native: true,
      unsafeAnnotations: [],
      mountOptions: mountOptionNames(),
    });
    printText(`${JSON.stringify(text, undefined, 4)}\n`);
    return 0;
  },
});
