import { loadConfig } from "@kata-containers/config";
import { defineCommand } from "../define-command.ts";
import { describeEnvironment } from "../env/environment.ts";
import { renderToml } from "../env/render-toml.ts";
import { printText } from "../print.ts";

export const env = defineCommand({
  name: "env",
  aliases: ["kata-env"],
  summary: "print versions, the configuration in effect and facts of the host",
  description: "Prints TOML, by upstream's names. What could not be found out is <<unknown>>.",
  args: [],
  options: { json: { help: "print JSON" } },
  async run({ options, globals }) {
    const environment = await describeEnvironment(loadConfig(globals.config));
    printText(options.json ? `${JSON.stringify(environment, undefined, 2)}\n` : renderToml(environment));
    return 0;
  },
});
