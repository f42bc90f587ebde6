import { KataError } from "@kata-containers/sys";
import { checkRow } from "../commands/check.ts";
import { defineCommand } from "../define-command.ts";
import { printText } from "../print.ts";
import { checkHost } from "./check-host.ts";
import type { Finding } from "./finding.ts";

export const checkCommand = defineCommand({
  ...checkRow,
  async run({ options, globals }) {
    const findings = await checkHost(globals);
    const count = (verdict: Finding["verdict"]) => findings.filter((each) => each.verdict === verdict).length;
    const [failures, warnings] = [count("failure"), count("warning")];
    const capable = failures === 0 && !(options.strict && warnings > 0);
    printText(options.json ? renderJson(findings, capable) : renderFindings(findings));
    if (!capable) {
      const counts = `${failures} of ${findings.length} checks failed, ${warnings} gave a warning`;
      throw new KataError(
        "FailedPrecondition",
        `System is not capable of running Kata Containers: ${counts}`,
      );
    }
    if (!options.json) printText("System is capable of running Kata Containers\n");
    return 0;
  },
});

function renderFindings(findings: readonly Finding[]): string {
  const width = Math.max(...findings.map(({ check: name }) => name.length));
  return findings
    .map(({ check: name, verdict, detail, advice }) => {
      const line = `${verdict.padEnd(7)}  ${name.padEnd(width)}  ${detail}\n`;
      return advice === undefined ? line : `${line}${" ".repeat(width + 11)}to do: ${advice}\n`;
    })
    .join("");
}

function renderJson(findings: readonly Finding[], capable: boolean): string {
  return `${JSON.stringify({ capable, findings }, undefined, 2)}\n`;
}
