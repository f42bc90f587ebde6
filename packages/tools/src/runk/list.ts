import { isSysError, KataError, ops } from "@kata-containers/sys";
import type { Arguments, Options } from "./arguments.ts";
import { statusOf } from "./container-process.ts";
import type { Globals } from "./globals.ts";
import { readRecord } from "./record.ts";
import { print } from "./report.ts";

export const LIST_OPTIONS: Options = { format: { short: "f", value: true }, quiet: { short: "q" } };

const COLUMNS = ["id", "pid", "status", "bundle", "created", "owner"] as const;
type Row = Readonly<Record<(typeof COLUMNS)[number], string>>;

export async function list(args: Arguments, globals: Globals): Promise<number> {
  const rows = ids(globals.root).flatMap((id) => row(globals.root, id));
  const format = args.value("format") ?? "table";
  if (args.flag("quiet")) print(rows.map(({ id }) => `${id}\n`).join(""));
  else if (format === "json")
    print(`${JSON.stringify(rows.map((each) => ({ ...each, pid: Number(each.pid) })))}\n`);
  else if (format === "table") print(table(rows));
  else throw new KataError("InvalidArgument", `invalid format option: ${format}`);
  return 0;
}

function ids(root: string): string[] {
  try {
    const entries = ops.readdir(root);
    return entries.filter(({ type }) => type === "dir").map(({ name }) => name);
  } catch (error) {
    if (isSysError(error, "ENOENT")) return [];
    throw error;
  }
}

/** None for a container that went away meanwhile. */
function row(root: string, id: string): Row[] {
  try {
    const record = readRecord(root, id);
    const status = statusOf(root, record);
    const { bundle, created } = record;
    return [
      {
        id,
        pid: `${status === "stopped" ? 0 : record.pid}`,
        status,
        bundle,
        created,
        owner: `#${record.owner}`,
      },
    ];
  } catch (error) {
    if (error instanceof KataError && error.code === "NotFound") return [];
    throw error;
  }
}

function table(rows: readonly Row[]): string {
  const head = COLUMNS.map((name) => name.toUpperCase());
  const lines = [head, ...rows.map((each) => COLUMNS.map((name) => each[name]))];
  const widths = COLUMNS.map((_, column) => Math.max(...lines.map((line) => line[column]?.length ?? 0)));
  return lines
    .map(
      (line) =>
        `${line
          .map((cell, column) => cell.padEnd((widths[column] ?? 0) + 3))
          .join("")
          .trimEnd()}\n`,
    )
    .join("");
}
