import { KataError } from "@kata-containers/sys";
import { createFileStore, stateDir } from "@kata-containers/virtcontainers";
import {
  annotationsOf,
  type ListedContainer,
  listOptions,
  ownerOf,
  printList,
} from "../container/container-list.ts";
import { currentState, findContainer } from "../container/find-container.ts";
import { defineCommand } from "../define-command.ts";
import type { Globals } from "../globals.ts";
import { reportWarning } from "../report-error.ts";

export const list = defineCommand({
  name: "list",
  summary: "list the containers",
  args: [],
  options: listOptions,
  async run({ options, globals }) {
    printList(await findAll(globals), options);
    return 0;
  },
});

/** One that is deleted meanwhile is left out; one whose record cannot be read is told. */
async function findAll(globals: Globals): Promise<ListedContainer[]> {
  const ids = createFileStore(globals.root).list();
  const rows = await Promise.all(ids.map((id) => findRow(globals, id)));
  return rows.filter((row) => row !== undefined);
}

async function findRow(globals: Globals, id: string): Promise<ListedContainer | undefined> {
  try {
    using found = await findContainer(globals, id);
    const container = await currentState(found);
    const { ociVersion, pid, status, bundle, rootfs = "", createdMs } = container;
    const annotations = annotationsOf(container);
    const created = new Date(createdMs).toISOString();
    const owner = ownerOf(stateDir(globals.root, id));
    return { ociVersion, id, pid, status, bundle, rootfs, created, annotations, owner };
  } catch (error) {
    if (!(error instanceof KataError)) throw error;
    if (error.code !== "NotFound") reportWarning(globals, `list: ${error.message}`);
    return undefined;
  }
}
