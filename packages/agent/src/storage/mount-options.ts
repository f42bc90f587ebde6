import { MS } from "@kata-containers/sys";

/** mount(8)'s words for mount(2)'s flags; true: sets it, false: clears it. */
const FLAGS: Readonly<Record<string, readonly [flag: number, set: boolean]>> = {
  ro: [MS.RDONLY, true],
  rw: [MS.RDONLY, false],
  nosuid: [MS.NOSUID, true],
  suid: [MS.NOSUID, false],
  nodev: [MS.NODEV, true],
  dev: [MS.NODEV, false],
  noexec: [MS.NOEXEC, true],
  exec: [MS.NOEXEC, false],
  sync: [MS.SYNCHRONOUS, true],
  dirsync: [MS.DIRSYNC, true],
  noatime: [MS.NOATIME, true],
  nodiratime: [MS.NODIRATIME, true],
  relatime: [MS.RELATIME, true],
  strictatime: [MS.STRICTATIME, true],
  bind: [MS.BIND, true],
  rbind: [MS.BIND | MS.REC, true],
  defaults: [0, true],
};

/** Splits mount options into flags and what the file system itself reads. */
export function mountOptions(options: readonly string[]): { flags: number; data: string } {
  let flags = 0;
  const data: string[] = [];
  for (const option of options) {
    const row = Object.hasOwn(FLAGS, option) ? FLAGS[option] : undefined;
    if (row === undefined) data.push(option);
    else flags = row[1] ? flags | row[0] : flags & ~row[0];
  }
  return { flags, data: data.join(",") };
}
