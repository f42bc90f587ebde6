import { activatedDescriptors } from "@kata-containers/cli";
import { exists, KataError, O, readText, type SpawnFd } from "@kata-containers/sys";

/** Where the first is in kata-launch, above those that have a meaning there. */
const FIRST = 10;
/** The first that a process gets besides its stdio. */
const OURS = 3;

/** What the caller's process hands down besides 0 to 2. */
export type PassedDescriptors = {
  /** For kata-launch. */
  readonly fds: readonly SpawnFd[];
  /** Their numbers there. */
  readonly pass: readonly number[];
  /** What tells the process of those of socket activation. */
  readonly env: readonly string[];
};

/**
 * The descriptors from 3 up that the process is to have: those of socket activation (sd_listen_fds(3)), when they are for
 * us, and then --preserve-fds.
 * @throws KataError InvalidArgument: a number that is none, or of descriptors that are not open
 */
export function passedDescriptors(preserveFds = "0"): PassedDescriptors {
  if (!/^\d{1,6}$/.test(preserveFds))
    throw new KataError("InvalidArgument", `--preserve-fds ${JSON.stringify(preserveFds)}: must be a number`);
  const listening = activatedDescriptors();
  const numbers = Array.from({ length: listening + Number(preserveFds) }, (_, index) => index);
  for (const index of numbers) checkOpen(OURS + index);
  return {
    fds: numbers.map((index) => ({ from: OURS + index, to: FIRST + index })),
    pass: numbers.map((index) => FIRST + index),
    env: listening === 0 ? [] : [`LISTEN_FDS=${listening}`, "LISTEN_PID=1"],
  };
}

/** One that is closed on exec is not our caller's, but ours. */
function checkOpen(fd: number): void {
  const file = `/proc/self/fdinfo/${fd}`;
  const flags = exists(file) ? /^flags:\s*([0-7]+)$/m.exec(readText(file))?.[1] : undefined;
  if (flags !== undefined && (Number.parseInt(flags, 8) & O.CLOEXEC) === 0) return;
  throw new KataError("InvalidArgument", `--preserve-fds: descriptor ${fd} is not open`);
}
