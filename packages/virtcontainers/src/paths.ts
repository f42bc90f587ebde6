import { ops } from "@kata-containers/sys";

/** Where our host files live: sockets, the index, and the state directories of a default run. */
export const RUNTIME_DIR = "/run/vc";
/** Default of `--root`: one directory a sandbox below it (upstream's place: virtcontainers' persist). */
export const DEFAULT_ROOT = `${RUNTIME_DIR}/sbs`;
/** One symbolic link a sandbox, named by its hash, pointing at its state directory, whatever its root. */
export const INDEX_DIR = `${RUNTIME_DIR}/index`;

/** What the root begins with of sandboxes that a program owns, its pid and start time behind it: a name alone, nothing is there. */
export const OWNER_ROOT = `${RUNTIME_DIR}/owner-`;

/** Directory in the guest where the share is mounted (upstream: kata-agent's constant). */
export const GUEST_SHARED_DIR = "/run/kata-containers/shared/containers";
/** Directory in the guest for what the agent makes: shm, resolv.conf. */
export const GUEST_SANDBOX_DIR = "/run/kata-containers/sandbox";
/** The sandbox's /dev/shm, which its containers share. */
export const GUEST_SHM = `${GUEST_SANDBOX_DIR}/shm`;
/** Where volumes in memory are, by name (upstream: kata-agent's ephemeral storage). */
export const GUEST_EPHEMERAL_DIR = `${GUEST_SANDBOX_DIR}/ephemeral`;
/** virtio-fs tag of the share. */
export const SHARE_TAG = "kataShared";

/** First 16 hex digits of sha256(root, NUL, id): names sockets and cgroups, marks redirections (sun_path is 108 bytes, and two roots may use one id). */
export function sandboxHash(root: string, id: string): string {
  return shortHash(`${root}\0${id}`);
}

/** State directory of a sandbox. */
export function stateDir(root: string, id: string): string {
  return `${root}/${id}`;
}

/** The daemon's socket. Shorter than sun_path for any root and id. */
export function socketPath(root: string, id: string): string {
  return `${RUNTIME_DIR}/${sandboxHash(root, id)}.sock`;
}

/** The management socket. Shorter than sun_path as well: the record's directory, where it is looked for, has a link to it. */
export function managementSocketPath(root: string, id: string): string {
  return `${RUNTIME_DIR}/${sandboxHash(root, id)}-monitor.sock`;
}

/** Where the management socket is looked for (upstream: SocketAddress of its shim). */
export function managementLinkPath(root: string, id: string): string {
  return `${stateDir(root, id)}/shim-monitor.sock`;
}

/**
 * `<container>-<16 hex>-<basename>`: the name of a volume below the share; the random part keeps two volumes of one basename
 * apart. An id and a basename may have 255 bytes each, the name as well: what is longer is cut.
 */
export function volumeName(containerId: string, destination: string): string {
  const base = destination.split("/").filter(Boolean).at(-1) ?? "root";
  // A character of a basename has four bytes at most.
  const cut = [...base].slice(0, 32).join("");
  return `${containerId.slice(0, 96)}-${hex(ops.random(8))}-${cut}`;
}

/** The first 16 hex digits of a text's sha256: a name for what is too long to be one. */
export function shortHash(text: string): string {
  return hex(ops.sha256(ops.utf8Encode(text)).subarray(0, 8));
}

export function hex(bytes: Uint8Array): string {
  let text = "";
  for (const byte of bytes) text += byte.toString(16).padStart(2, "0");
  return text;
}
