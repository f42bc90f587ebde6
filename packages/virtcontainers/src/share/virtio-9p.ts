import { SHARE_TAG } from "../paths.ts";
import { NO_SHARE, type ShareDriver } from "./share.ts";

/**
 * Guest's options: the Linux dialect, memory-mapped files, and as much in one message as QEMU takes (Linux's
 * Documentation/filesystems/9p.rst).
 */
const OPTIONS = ["trans=virtio", "version=9p2000.L", "cache=mmap", "msize=512000"];

/**
 * virtio-9p, for hosts without virtiofsd: QEMU serves the share itself, from the directory that the daemon's trees are
 * attached below. It makes and opens no FIFO, socket or device node (docs/limitations.md).
 */
export function createVirtio9p(): ShareDriver {
  return {
    name: "virtio-9p",
    guestMount: { driver: "9p", source: SHARE_TAG, fstype: "9p", options: OPTIONS },
    // It lives and dies with the VMM.
    open: NO_SHARE.open,
  };
}
