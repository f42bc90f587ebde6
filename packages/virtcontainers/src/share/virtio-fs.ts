import type { KataConfig } from "@kata-containers/config";
import { Fd, KataError, ops } from "@kata-containers/sys";
import { type Confinement, SOCKET_DIR } from "../confine/confinement.ts";
import { type ConfinedProgram, spawnConfined } from "../confine/spawn.ts";
import { SHARE_TAG } from "../paths.ts";
import type { OpenShare, ShareDriver } from "./share.ts";

const LISTEN_FD = 5;

/**
 * What virtiofsd needs, by capabilities(7): to keep owners, modes and special files as the guest sets them, and to
 * change its root to the share (it drops the last two itself after that).
 */
const CAPABILITIES = [
  "CHOWN:0",
  "DAC_OVERRIDE:1",
  "FOWNER:3",
  "FSETID:4",
  "SETGID:6",
  "SETUID:7",
  "MKNOD:27",
  "SETFCAP:31",
  "SETPCAP:8",
  "SYS_CHROOT:18",
].reduce((mask, each) => mask + 2 ** Number(each.split(":")[1]), 0);

/**
 * virtio-fs: virtiofsd serves the share over vhost-user. It has a mount namespace of its own, which trees that are attached
 * after its start come to by propagation: from the descriptors of /proc that it keeps a way leads around its change of root.
 */
export function createVirtioFs(config: KataConfig, confinement: Confinement): ShareDriver {
  const { virtio_fs_daemon: path, virtio_fs_cache: cache, virtio_fs_extra_args: extra } = config.hypervisor;
  return {
    name: "virtio-fs",
    guestMount: { driver: "virtio-fs", source: SHARE_TAG, fstype: "virtiofs", options: [] },
    async open(): Promise<OpenShare> {
      const { listener, connection } = await connectedPair();
      const argv = [path, ...virtiofsdArguments(confinement.shareDir, cache, LISTEN_FD), ...extra];
      const fds = [{ from: listener.number, to: LISTEN_FD }];
      const program: ConfinedProgram = {
        name: "virtiofsd",
        path,
        argv,
        fds,
        root: confinement.shareServerRoot,
        proc: "all",
        capabilities: CAPABILITIES,
      };
      return {
        vmmFd: connection.number,
        async serve() {
          const process = await spawnConfined(program, confinement);
          const { identity, ended } = process;
          return { identity, ended, lastWords: () => process.lastWords(), stop: () => process.kill() };
        },
        close() {
          listener.close();
          connection.close();
        },
      };
    },
  };
}

/**
 * Arguments that both programs of the name understand: the one of crates.io (1.x) and QEMU's older C one, whose
 * spelling (`-o`) the former still takes. `announce_submounts`: inode numbers of several file systems below the share
 * must not collide in the guest.
 */
export function virtiofsdArguments(shareDir: string, cache: string, listenFd: number): string[] {
  const options = [
    `source=${shareDir}`,
    "sandbox=chroot",
    // Newer programs say never for what both understand as none.
    `cache=${cache === "never" ? "none" : cache}`,
    "announce_submounts",
    "xattr",
    "no_posix_lock",
    "no_flock",
  ];
  return ["-f", `--fd=${listenFd}`, "-o", options.join(",")];
}

/**
 * virtiofsd wants a listening socket and QEMU a connected one, both inherited: the socket has a name in the daemon's
 * own root for as long as it takes to connect.
 */
async function connectedPair(): Promise<{ listener: Fd; connection: Fd }> {
  const path = `${SOCKET_DIR}/share.sock`;
  const listener = listen(path);
  try {
    return { listener, connection: new Fd(await ops.unixConnect(path)) };
  } catch (cause) {
    listener.close();
    throw KataError.from(cause, "cannot connect to virtiofsd's socket");
  } finally {
    ops.unlink(path);
  }
}

function listen(path: string): Fd {
  try {
    return new Fd(ops.unixListen(path, 1));
  } catch (cause) {
    throw KataError.from(cause, "cannot make virtiofsd's socket");
  }
}
