import { type ListedContainer, listOptions, ownerOf, printList } from "@kata-containers/cli";
import { OCI_VERSION } from "@kata-containers/oci";
import { isSysError, KataError, ops } from "@kata-containers/sys";
import { statusOf } from "../container-process.ts";
import { defineCommand } from "../define-command.ts";
import { readRecord } from "../record.ts";
import { warn } from "../report.ts";

export const list = defineCommand({
  name: "list",
  summary: "list the containers",
  args: [],
  options: listOptions,
  async run({ options, globals: { root } }) {
    const rows = idsIn(root).map((id) => rowOf(root, id));
    printList(
      rows.filter((row) => row !== undefined),
      options,
    );
    return 0;
  },
});

function idsIn(root: string): string[] {
  try {
    const entries = ops.readdir(root);
    return entries.filter(({ type }) => type === "dir").map(({ name }) => name);
  } catch (error) {
    if (isSysError(error, "ENOENT")) return [];
    throw error;
  }
}

/** One that is deleted meanwhile is left out; one whose record cannot be read is told of. */
function rowOf(root: string, id: string): ListedContainer | undefined {
  try {
    const record = readRecord(root, id);
    const status = statusOf(root, record);
    const { bundle, rootfs, created, annotations } = record;
    const pid = status === "stopped" ? 0 : record.pid;
    const owner = ownerOf(`${root}/${id}`);
    return { ociVersion: OCI_VERSION, id, pid, status, bundle, rootfs, created, annotations, owner };
  } catch (error) {
    if (!(error instanceof KataError)) throw error;
    if (error.code !== "NotFound") warn(`list: ${error.message}`);
    return undefined;
  }
}
