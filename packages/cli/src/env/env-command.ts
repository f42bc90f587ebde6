import { loadConfig } from "@kata-containers/config";
import { envRow } from "../commands/env.ts";
import { defineCommand } from "../define-command.ts";
import { printText } from "../print.ts";
import { describeEnvironment } from "./environment.ts";
import { renderToml } from "./render-toml.ts";

export const envCommand = defineCommand({
  ...envRow,
  async run({ options, globals }) {
    const environment = await describeEnvironment(loadConfig(globals.config));
    printText(options.json ? `${JSON.stringify(environment, undefined, 2)}\n` : renderToml(environment));
    return 0;
  },
});
