import { readFileSync } from "node:fs";
import { run } from "../harness/process.ts";

/** What makes the guest's kernel panic at an NMI that nobody has asked for; with panic=-1, the VM ends at once. */
export const PANIC_PARAMS = "unknown_nmi_panic";

/** How long QEMU may live on, s: the guest may not have a kernel yet that panics. */
const LIMIT_S = 15;

/**
 * Ends a guest at any moment of its life, also when nothing runs in it yet: an NMI, injected by QMP in the daemon's name, until QEMU has
 * ended. @returns whether it has
 */
export async function panicGuest(daemon: number, qemu: number): Promise<boolean> {
  const fd = /\0socket,id=qmp,fd=(\d+)\0/.exec(cmdline(qemu))?.[1];
  if (fd === undefined) return false;
  const ended = await run("python3", ["-c", injector, String(daemon), String(qemu), fd, String(LIMIT_S)]);
  if (ended.stderr !== "") throw new Error(`panicGuest: ${ended.stderr}`);
  return ended.status === 0;
}

function cmdline(pid: number): string {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, "utf8");
  } catch {
    return "";
  }
}

/** Takes a copy of the daemon's end of QMP (pidfd_getfd(2)), whose other end QEMU has inherited. Status 1: too late, or in vain. */
const injector = `
import ctypes, os, re, subprocess, sys, time
daemon, qemu, fd, limit = map(int, sys.argv[1:])
SYS_pidfd_getfd = 438
try:
    inode = re.search(r"\\d+", os.readlink(f"/proc/{qemu}/fd/{fd}"))[0]
    # Unix sockets are listed in the network namespace where they were made.
    listed = subprocess.run(["nsenter", "-t", str(daemon), "-n", "ss", "-xaH"], capture_output=True, text=True).stdout
    peer = re.search(rf"\\* {inode} +\\* (\\d+)", listed)[1]
    end = next(n for n in os.listdir(f"/proc/{daemon}/fd") if os.readlink(f"/proc/{daemon}/fd/{n}") == f"socket:[{peer}]")
    watch = os.pidfd_open(daemon)
    qmp = ctypes.CDLL(None, use_errno=True).syscall(SYS_pidfd_getfd, watch, int(end), 0)
    if qmp < 0: sys.exit(1)
    until = time.monotonic() + limit
    while time.monotonic() < until:
        os.write(qmp, b'{"execute":"inject-nmi","id":"fault"}\\n')
        time.sleep(0.2)
        if not os.path.exists(f"/proc/{qemu}"): sys.exit(0)
    sys.exit(1)
except (BrokenPipeError, ConnectionResetError):
    sys.exit(0)
except (FileNotFoundError, ProcessLookupError, StopIteration, TypeError):
    # Whoever it was about has ended.
    sys.exit(1)
`;
