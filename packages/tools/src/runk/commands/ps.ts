import { containerId, printText, runProgram } from "@kata-containers/cli";
import { pidsOf } from "@kata-containers/launch";
import { exists, KataError, ops } from "@kata-containers/sys";
import { statusOf } from "../container-process.ts";
import { defineCommand } from "../define-command.ts";
import { readRecord } from "../record.ts";
import { requireCgroups } from "../require-cgroups.ts";

export const ps = defineCommand({
  name: "ps",
  summary: "list the processes of a container",
  description:
    "As a table: what the host's ps prints of them, with PS-OPTIONS (-ef, if there are none), which must ask for the column PID. " +
    "As json: their pids on the host.",
  args: [
    containerId,
    { name: "PS-OPTIONS", optional: true, rest: true, help: "options of ps: -ef, aux, -o pid,user,cmd" },
  ],
  options: {
    format: { short: "f", value: "FORMAT", choices: ["table", "json"], help: "table (default) or json" },
  },
  async run({ options, args: [id = "", ...psOptions], globals }) {
    const record = readRecord(globals.root, id);
    const [first] = record.cgroups;
    if (statusOf(globals.root, record) !== "stopped") requireCgroups(record);
    const pids = first === undefined ? [] : pidsOf(first.directory);
    if (options.format === "json") printText(`${pids.length === 0 ? "null" : JSON.stringify(pids)}\n`);
    else {
      const table = await runProgram(findPs(), ...(psOptions.length === 0 ? ["-ef"] : psOptions));
      printText(linesOf(table, new Set(pids)));
    }
    return 0;
  },
});

/** The header, and the lines of these processes. @throws KataError InvalidArgument: no column says which they are */
function linesOf(table: string, pids: ReadonlySet<number>): string {
  const [header = "", ...lines] = table.split("\n");
  const column = fields(header).indexOf("PID");
  if (column < 0) throw new KataError("InvalidArgument", "couldn't find PID field in ps output");
  const own = lines.filter((line) => pids.has(Number(fields(line)[column])));
  return [header, ...own].map((line) => `${line}\n`).join("");
}

function fields(line: string): string[] {
  return line.split(/\s+/).filter((word) => word !== "");
}

/** @throws KataError NotFound */
function findPs(): string {
  const path = ops
    .env()
    .find((entry) => entry.startsWith("PATH="))
    ?.slice("PATH=".length);
  const found = (path ?? "/usr/bin:/bin")
    .split(":")
    .map((directory) => `${directory}/ps`)
    .find(exists);
  if (found !== undefined) return found;
  throw new KataError(
    "NotFound",
    "ps: the program ps is not on PATH (Debian: procps); --format json needs none",
  );
}
