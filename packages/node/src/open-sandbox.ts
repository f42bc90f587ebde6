import type { Process } from "@kata-containers/oci";
import { connectDaemon, readBundle } from "@kata-containers/shim";
import { Fd, isSysError, KataError, ops } from "@kata-containers/sys";
import {
  createFileStore,
  daemonAlive,
  killIdentity,
  loadSavedConfig,
  type SandboxRecord,
  savedConfigPath,
} from "@kata-containers/virtcontainers";
import type { Sandbox } from "./api.ts";
import { absolute } from "./container-bundle.ts";
import { defaultSpec } from "./default-spec.ts";
import { GuestSandbox } from "./guest-sandbox.ts";
import { SandboxLink } from "./sandbox-link.ts";
import { Streams } from "./streams.ts";

/** See api.ts. */
export async function openSandbox(id: string, options: { readonly store: string }): Promise<Sandbox> {
  const root = absolute(options.store);
  const store = createFileStore(root);
  const record = store.load(id);
  if (record.id !== id)
    throw new KataError(
      "InvalidArgument",
      `${id}: is a container of sandbox ${record.id}, which can be opened`,
    );
  const config = loadSavedConfig(savedConfigPath(root, id));
  const daemon = await connectDaemon(record.socket);
  const process = daemonProcess(record);
  const link = new SandboxLink({ id, config, store, daemon, process, owner: undefined });
  const others = record.containers.map((each) => each.id).filter((each) => each !== id);
  return new GuestSandbox(link, ownProcess(record), new Streams({}), others);
}

/** What `exec` takes after: the process of the sandbox's bundle, if it has one. */
function ownProcess({ id, containers }: SandboxRecord): Process {
  const bundle = containers.find((each) => each.id === id)?.bundle ?? "/";
  try {
    return readBundle(bundle).process;
  } catch (error) {
    if (!(error instanceof KataError)) throw error;
    return defaultSpec({ rootfs: bundle, args: [] }).process ?? { cwd: "/" };
  }
}

function daemonProcess(record: SandboxRecord) {
  const found = record.resources.find((each) => each.kind === "process" && each.name === "daemon");
  if (found?.kind !== "process" || !daemonAlive(record)) return undefined;
  const { identity } = found;
  return {
    async ended() {
      try {
        using pidfd = new Fd(ops.pidfdOpen(identity.pid));
        if (daemonAlive(record)) await ops.pidfdEnded(pidfd.number);
      } catch (error) {
        if (!isSysError(error, "ESRCH")) throw error;
      }
    },
    kill: () => killIdentity(identity),
  };
}
