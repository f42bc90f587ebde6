// A writer of cpio archives in the "newc" format, the one the kernel unpacks as an initramfs
// (Documentation/driver-api/early-userspace/buffer-format.rst). Every field that could differ between
// two builds (inode, time, owner) is fixed, so equal inputs give equal bytes.

const S_IFDIR = 0o040000;
const S_IFREG = 0o100000;
const S_IFCHR = 0o020000;

const hex = (n) => n.toString(16).toUpperCase().padStart(8, "0");
const padding = (length) => Buffer.alloc((4 - (length % 4)) % 4);

/** One archive member: header, name, data, each padded to 4 bytes. */
function member(inode, name, mode, data, device) {
  const path = Buffer.from(`${name}\0`);
  const nlink = (mode & S_IFDIR) === S_IFDIR ? 2 : 1;
  const [major, minor] = device;
  const fields = [inode, mode, 0, 0, nlink, 0, data.length, 0, 0, major, minor, path.length, 0];
  const head = Buffer.from(`070701${fields.map(hex).join("")}`);
  return Buffer.concat([head, path, padding(head.length + path.length), data, padding(data.length)]);
}

/**
 * Makes an archive. `entries`: {path, dir: true, mode} | {path, file: Buffer, mode} | {path, char: [major, minor], mode},
 * paths relative, parents before children.
 */
export function cpio(entries) {
  const members = entries.map((entry, index) => {
    const inode = index + 1;
    if (entry.dir) return member(inode, entry.path, S_IFDIR | entry.mode, Buffer.alloc(0), [0, 0]);
    if (entry.char) return member(inode, entry.path, S_IFCHR | entry.mode, Buffer.alloc(0), entry.char);
    return member(inode, entry.path, S_IFREG | entry.mode, entry.file, [0, 0]);
  });
  return Buffer.concat([...members, member(0, "TRAILER!!!", 0, Buffer.alloc(0), [0, 0])]);
}
