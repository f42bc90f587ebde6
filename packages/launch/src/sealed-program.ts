import { Fd, O, ops, SEAL } from "@kata-containers/sys";

/**
 * A sealed copy of a program in memory, and the path to execute it by. kata-launch run from one does not make a copy of its
 * own for each process (CVE-2019-5736; crates/launch/src/sealed.rs), which under emulation is most of an exec's time.
 * The copy lives as long as this program.
 */
export function sealedProgram(path: string): string {
  using file = new Fd(ops.open(path, O.RDONLY | O.CLOEXEC, 0));
  const copy = new Fd(ops.memfd("kata-launch", true));
  const { size } = ops.fstat(file.number);
  for (let copied = 0; copied < size; ) copied += ops.copyFile(file.number, copy.number, size - copied);
  ops.addSeals(copy.number, SEAL.SEAL | SEAL.SHRINK | SEAL.GROW | SEAL.WRITE);
  return `/proc/${ops.getpid()}/fd/${copy.release()}`;
}
