import { defineCommand } from "../define-command.ts";
import { printText } from "../print.ts";
import { renderVersion } from "../version.ts";

export const version = defineCommand({
  name: "version",
  summary: "print the version",
  args: [],
  anyUser: true,
  options: {},
  async run() {
    printText(renderVersion());
    return 0;
  },
});
