import { type Fd, ops, sleep } from "@kata-containers/sys";
import { SHARED } from "../paths.ts";
import { openNamespace } from "../process/open-namespace.ts";

/**
 * When the share's server is asked for an answer, ms after the answer before. It answers in order: with the first answer a read
 * has come back that was under way, with the second the release of its file. The third and the pauses are for a server with
 * several threads, and for requests that the guest's kernel kept back because there were many.
 */
const ASKED_AFTER_MS = [10, 20, 40];

/**
 * A container's mount namespace, held from before its program runs until nothing of it is under way at the share after its end.
 *
 * A directory of the share that is a file system of its own on the host is one in the guest too (virtiofsd's
 * `announce_submounts`), unmounted with the last namespace that has it: by the container's last process, were it not for us. But
 * Linux must not unmount one while a read ahead is under way in it: when a read outlives its file, which is what becomes of a
 * process that is killed while its pages are read, RELEASE is sent without anybody waiting for it (fuse_readpages_end of
 * fs/fuse/file.c), and its inode is in use until then. Linux 6.1 finds "Busy inodes after unmount", which is a BUG where data
 * corruption is one: the process dies of it in its own exit, and nobody ever sees it end.
 */
export class MountNamespace {
  readonly #fd: Fd | undefined;

  /** @param pid of a process in it, a child of ours that has not been waited for */
  constructor(pid: number) {
    this.#fd = openNamespace(pid, "mnt");
  }

  /**
   * Lets go of it when the share's server has answered what its processes asked. All of them must have ended. Not at once in any
   * case: whoever waits for that is told meanwhile.
   */
  async release(): Promise<void> {
    if (this.#fd === undefined) return;
    try {
      for (const ms of ASKED_AFTER_MS) {
        await sleep(ms);
        if (ops.statIfThere(SHARED) !== undefined) ops.statfs(SHARED);
      }
    } finally {
      this.#fd.close();
    }
  }
}
