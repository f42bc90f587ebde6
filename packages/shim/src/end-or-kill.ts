import { deadline, type Fd, KataError, SIG, signalIfAlive } from "@kata-containers/sys";

/** Waits for a process that has been told to end; one that is still there after `ms` is killed. @param ended its end, by its pidfd */
export async function endOrKill(pidfd: Fd, ended: Promise<unknown>, ms: number): Promise<void> {
  const late = () => new KataError("DeadlineExceeded", "it does not end");
  await deadline(ended, ms, late).catch(async () => {
    signalIfAlive(pidfd.number, SIG.SIGKILL);
    await ended;
  });
}
