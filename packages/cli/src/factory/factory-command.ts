import { type KataConfig, loadConfig } from "@kata-containers/config";
import { KataError } from "@kata-containers/sys";
import { makingSeconds, TemplateDirectory } from "@kata-containers/virtcontainers";
import { factoryRow } from "../commands/factory.ts";
import { defineCommand } from "../define-command.ts";
import type { Globals } from "../globals.ts";
import { printText } from "../print.ts";
import { endCache, serveCache } from "./cache.ts";
import { initTemplate } from "./init-template.ts";
import { describeStatus, renderStatus } from "./template-list.ts";

export const factoryCommand = defineCommand({
  ...factoryRow,
  async run({ options: { format }, args: [action], globals }) {
    if (format !== undefined && action !== "status")
      throw new KataError("InvalidArgument", `factory ${action}: --format is for status alone`);
    const config = loadConfig(globals.config);
    if (action === "init") await init(config, globals);
    else if (action === "destroy") await destroy(config);
    else {
      const status = await describeStatus(config);
      printText(format === "json" ? `${JSON.stringify(status, undefined, 2)}\n` : renderStatus(status));
    }
    return 0;
  },
});

/** As upstream: a configuration without any of it is no error. */
async function init(config: KataConfig, globals: Globals): Promise<void> {
  const { enable_template, vm_cache_number } = config.factory;
  if (vm_cache_number > 0) await serveCache(config, globals);
  else if (enable_template) await initTemplate(config, globals);
  else printText("vm factory or VMCache is not enabled\n");
}

/** Also what is not used any more: who has turned it off wants its room back. */
async function destroy(config: KataConfig): Promise<void> {
  await endCache(config);
  await new TemplateDirectory(config.factory.template_path).destroy(makingSeconds(config) * 1000);
  printText("vm factory destroyed\n");
}
