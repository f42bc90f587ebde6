import { isSysError, ops, readText } from "@kata-containers/sys";
import type { Options, Values } from "../command.ts";
import { printText } from "../print.ts";
import { renderTable } from "../table.ts";

/** What `list` tells of a container, in the order of its JSON. */
export interface ListedContainer {
  readonly ociVersion: string;
  readonly id: string;
  readonly pid: number;
  readonly status: string;
  readonly bundle: string;
  readonly rootfs: string;
  /** RFC 3339. */
  readonly created: string;
  readonly annotations?: Readonly<Record<string, string>> | undefined;
  readonly owner: string;
}

/** As runc: without any there is no such member in its JSON. */
export function annotationsOf({ annotations }: Pick<ListedContainer, "annotations">): typeof annotations {
  return Object.keys(annotations ?? {}).length === 0 ? undefined : annotations;
}

export const listOptions = {
  format: { short: "f", value: "FORMAT", choices: ["table", "json"], help: "table (default) or json" },
  quiet: { short: "q", help: "print only ids" },
} as const satisfies Options;

/** Prints containers in runc's formats. */
export function printList(
  rows: readonly ListedContainer[],
  { format, quiet }: Values<typeof listOptions>,
): void {
  if (quiet) printText(rows.map(({ id }) => `${id}\n`).join(""));
  // As runc: an empty list is `null`.
  else if (format === "json") printText(`${rows.length === 0 ? "null" : JSON.stringify(rows)}\n`);
  else printText(renderRows(rows));
}

function renderRows(rows: readonly ListedContainer[]): string {
  return renderTable([
    ["ID", "PID", "STATUS", "BUNDLE", "CREATED", "OWNER"],
    ...rows.map(({ id, pid, status, bundle, created, owner }) => [
      id,
      String(pid),
      status,
      bundle,
      created,
      owner,
    ]),
  ]);
}

/** The name of a directory's owner from /etc/passwd, else "#uid". The static binary has no NSS. */
export function ownerOf(path: string): string {
  try {
    const uid = String(ops.stat(path).uid);
    const line = readText("/etc/passwd")
      .split("\n")
      .find((entry) => entry.split(":")[2] === uid);
    return line?.split(":")[0] ?? `#${uid}`;
  } catch (error) {
    if (isSysError(error)) return "#?";
    throw error;
  }
}
