import { isSysError, KataError, ops, readText } from "@kata-containers/sys";
import { type ContainerRecord, createFileStore, stateDir } from "@kata-containers/virtcontainers";
import { currentState, findContainer } from "../container/find-container.ts";
import { defineCommand } from "../define-command.ts";
import type { Globals } from "../globals.ts";
import { printText } from "../print.ts";
import { renderTable } from "../table.ts";

interface Row extends ContainerRecord {
  readonly owner: string;
}

export const list = defineCommand({
  name: "list",
  summary: "list the containers",
  args: [],
  options: {
    format: { short: "f", value: "FORMAT", choices: ["table", "json"], help: "table (default) or json" },
    quiet: { short: "q", help: "print only ids" },
  },
  async run({ options, globals }) {
    const rows = await findAll(globals);
    if (options.quiet) printText(rows.map(({ id }) => `${id}\n`).join(""));
    else printText(options.format === "json" ? renderJson(rows) : renderRows(rows));
    return 0;
  },
});

/** One that is deleted meanwhile is left out; one whose record cannot be read is told on standard error. */
async function findAll(globals: Globals): Promise<Row[]> {
  const ids = createFileStore(globals.root).list();
  const rows = await Promise.all(ids.map((id) => findRow(globals, id)));
  return rows.filter((row) => row !== undefined);
}

async function findRow(globals: Globals, id: string): Promise<Row | undefined> {
  try {
    using found = await findContainer(globals, id);
    return { ...(await currentState(found)), owner: ownerOf(stateDir(globals.root, id)) };
  } catch (error) {
    if (!(error instanceof KataError)) throw error;
    if (error.code !== "NotFound") ops.writeSync(2, ops.utf8Encode(`kata-runtime: list: ${error.message}\n`));
    return undefined;
  }
}

function renderRows(rows: readonly Row[]): string {
  return renderTable([
    ["ID", "PID", "STATUS", "BUNDLE", "CREATED", "OWNER"],
    ...rows.map(({ id, pid, status, bundle, createdMs, owner }) => [
      id,
      String(pid),
      status,
      bundle,
      new Date(createdMs).toISOString(),
      owner,
    ]),
  ]);
}

/** As runc: an empty list is `null`. */
function renderJson(rows: readonly Row[]): string {
  const containers = rows.map(({ ociVersion, id, pid, status, bundle, createdMs, annotations, owner }) => {
    return {
      ociVersion,
      id,
      pid,
      status,
      bundle,
      created: new Date(createdMs).toISOString(),
      annotations,
      owner,
    };
  });
  return `${containers.length === 0 ? "null" : JSON.stringify(containers)}\n`;
}

/** The user's name from /etc/passwd, else "#uid". The static binary has no NSS. */
function ownerOf(path: string): string {
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
