import { O, ops } from "@kata-containers/sys";

/**
 * Makes descriptors 0 to 2 valid: the kernel starts /init without any when the guest has no console, and the next open(2) would
 * then become somebody's standard output. Needs /dev.
 */
export function ensureStdio(): void {
  for (;;) {
    const fd = ops.open("/dev/null", O.RDWR | O.CLOEXEC, 0);
    if (fd <= 2) continue;
    ops.close(fd);
    return;
  }
}

/** Where log lines go: the console when the guest has one, else the kernel's ring buffer. */
export function openLog(): number {
  for (const path of ["/dev/console", "/dev/kmsg"]) {
    try {
      return ops.open(path, O.WRONLY | O.NOCTTY | O.CLOEXEC, 0);
    } catch {
      // ENODEV without a console: the next one.
    }
  }
  return -1;
}
