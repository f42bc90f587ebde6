import {
  AT,
  exists,
  Fd,
  LOCK,
  MS,
  mkdirp,
  O,
  ops,
  RESOLVE,
  readText,
  removeTree,
  S,
  SEEK,
  writeFileAtomic,
  writeText,
} from "../index.ts";
import {
  bytes,
  child,
  equal,
  fails,
  fileFlags,
  ok,
  openFile,
  outcomeOf,
  startChild,
  test,
  text,
} from "./harness.ts";

const hex = (digest: Uint8Array) => [...digest].map((byte) => byte.toString(16).padStart(2, "0")).join("");

test("open, pwrite, pread, lseek, ftruncate, fstat work on a file", (dir) => {
  using file = openFile(`${dir}/f`, O.RDWR | O.CREAT);
  equal(ops.pwrite(file.number, bytes("hello world"), 0), 11);
  equal(text(ops.pread(file.number, 5, 6)), "world");
  equal(text(ops.pread(file.number, 100, 6)), "world");
  equal(ops.lseek(file.number, 0, SEEK.END), 11);
  ops.ftruncate(file.number, 4);
  ops.fsync(file.number);
  equal(ops.fstat(file.number).size, 4);
  equal(fileFlags(file.number) & 3, O.RDWR);
});

test("sha512File is that of FIPS 180-4, of the whole file wherever one reads in it", (dir) => {
  using file = openFile(`${dir}/f`, O.RDWR | O.CREAT);
  ops.pwrite(file.number, bytes("abc"), 0);
  ops.lseek(file.number, 2, SEEK.SET);
  equal(
    hex(ops.sha512File(file.number)),
    "ddaf35a193617abacc417349ae20413112e6fa4e89a97ea20a9eeee64b55d39a2192992a274fc1a836ba3c23a3feebbd454d4423643ce80e2a9ac94fa54ca49f",
  );
  ops.ftruncate(file.number, 1_000_000);
  equal(
    hex(ops.sha512File(file.number)),
    "22334954d4202752daee1ba8dc739f55bc2682e42af933ef974923ab046d1a847cfdcd74cc7dfa80282a4010cd977806bce5b42abd8a77f9f8fa2495ac69f9e0",
  );
  equal(ops.lseek(file.number, 0, SEEK.CUR), 2);
});

test("a missing file is ENOENT with syscall and path", async (dir) => {
  const path = `${dir}/none`;
  await fails(() => ops.open(path, O.RDONLY, 0), "ENOENT", "open", path);
  await fails(() => ops.stat(path), "ENOENT", "stat", path);
  await fails(() => ops.readFile(path, 10), "ENOENT", "open", path);
  await fails(() => ops.readdir(path), "ENOENT", "open", path);
  await fails(() => ops.readlink(path), "ENOENT", "readlink", path);
  await fails(() => ops.unlink(path), "ENOENT", "unlink", path);
  await fails(() => ops.rmdir(path), "ENOENT", "rmdir", path);
  await fails(() => ops.chmod(path, 0o600), "ENOENT", "chmod", path);
  await fails(() => ops.chown(path, 0, 0), "ENOENT", "chown", path);
  await fails(() => ops.access(path, 0), "ENOENT", "access", path);
  await fails(() => ops.statfs(path), "ENOENT", "statfs", path);
  await fails(() => ops.rename(path, `${path}2`), "ENOENT", "rename", `${path} to ${path}2`);
});

test("a closed descriptor is EBADF everywhere", async () => {
  const fd = 999;
  await fails(() => ops.close(fd), "EBADF", "close");
  await fails(() => ops.dup(fd), "EBADF");
  await fails(() => ops.dup2(fd, 998), "EBADF");
  await fails(() => ops.fstat(fd), "EBADF", "fstat");
  await fails(() => ops.pread(fd, 1, 0), "EBADF");
  await fails(() => ops.sha512File(fd), "EBADF", "pread");
  await fails(() => ops.pwrite(fd, bytes("x"), 0), "EBADF");
  await fails(() => ops.readSync(fd, 1), "EBADF");
  await fails(() => ops.writeSync(fd, bytes("x")), "EBADF");
  await fails(() => ops.fsync(fd), "EBADF");
  await fails(() => ops.ftruncate(fd, 1), "EBADF");
  await fails(() => ops.lseek(fd, 0, 0), "EBADF");
  await fails(() => ops.flock(fd, LOCK.EX), "EBADF");
  await fails(() => ops.fchmod(fd, 0), "EBADF");
  await fails(() => ops.fchown(fd, 0, 0), "EBADF");
  await fails(() => ops.readdirFd(fd), "EBADF");
  await fails(() => ops.setCloexec(fd, true), "EBADF");
  await fails(() => ops.setNonblock(fd, true), "EBADF");
  await fails(() => ops.addSeals(fd, 1), "EBADF", "fcntl");
  await fails(() => ops.mkdirat(fd, "x", 0o700), "EBADF", "mkdirat", "x");
  await fails(() => ops.unlinkat(fd, "x", 0), "EBADF", "unlinkat", "x");
  await fails(() => ops.copyFile(fd, 998, 1), "EBADF", "copy_file_range");
  await fails(() => ops.fstat(-1), "EBADF", "fstat");
});

test("an open file's mode and owner can be changed", async (dir) => {
  using file = openFile(`${dir}/f`, O.CREAT | O.RDWR);
  ops.fchmod(file.number, 0o4751);
  ops.fchown(file.number, 12, 34);
  const { mode, uid, gid } = ops.fstat(file.number);
  // A change of owner takes the set-user-ID bit (chown(2)).
  equal([mode & 0o7777, uid, gid], [0o751, 12, 34]);
  ops.fchown(file.number, 0xffff_ffff, 56);
  equal(ops.fstat(file.number).uid, 12);
});

test("readFile takes a whole file up to the limit, and files of /proc", async (dir) => {
  writeText(`${dir}/f`, "0123456789");
  equal(text(ops.readFile(`${dir}/f`, 10)), "0123456789");
  await fails(() => ops.readFile(`${dir}/f`, 9), "EFBIG", "read", `${dir}/f`);
  ok(text(ops.readFile("/proc/self/status", 65536)).startsWith("Name:"), "reads /proc");
});

test("readTexts takes the files of a directory in their order; one that is not there is empty", async (dir) => {
  writeText(`${dir}/a`, "one");
  writeText(`${dir}/b`, "two");
  equal(ops.readTexts(dir, ["b", "gone", "a"], 10).join(), "two,,one");
  equal(ops.readTexts(`${dir}/gone`, ["a", "b"], 10).join(), ",");
  await fails(() => ops.readTexts(dir, ["a"], 2), "EFBIG", "read", `${dir}/a`);
  await fails(() => ops.readTexts(`${dir}/a`, ["b"], 10), "ENOTDIR", "open", `${dir}/a`);
  await fails(() => ops.readTexts(dir, ["."], 10), "EISDIR", "read", `${dir}/.`);
});

test("writeFile honours its flags", async (dir) => {
  ops.writeFile(`${dir}/f`, bytes("one"), O.CREAT | O.EXCL, 0o640);
  ops.writeFile(`${dir}/f`, bytes("two"), O.APPEND, 0);
  equal(readText(`${dir}/f`), "onetwo");
  equal(ops.stat(`${dir}/f`).mode & 0o777, 0o640);
  await fails(() => ops.writeFile(`${dir}/f`, bytes(""), O.CREAT | O.EXCL, 0o640), "EEXIST");
  await fails(() => ops.writeFile("/dev/full", bytes("x"), 0, 0), "ENOSPC", "write", "/dev/full");
});

test("directories, links, nodes and modes", async (dir) => {
  ops.mkdir(`${dir}/d`, 0o700);
  await fails(() => ops.mkdir(`${dir}/d`, 0o700), "EEXIST", "mkdir", `${dir}/d`);
  ops.symlink("d", `${dir}/s`);
  await fails(() => ops.symlink("d", `${dir}/s`), "EEXIST", "symlink", `${dir}/s`);
  equal(ops.readlink(`${dir}/s`), "d");
  ops.mknod(`${dir}/p`, S.IFIFO | 0o600, 0, 0);
  ops.mknod(`${dir}/null`, S.IFCHR | 0o666, 1, 3);
  await fails(() => ops.mknod(`${dir}/p`, S.IFIFO | 0o600, 0, 0), "EEXIST", "mknod", `${dir}/p`);
  await fails(() => ops.mknod(`${dir}/x/p`, S.IFIFO | 0o600, 0, 0), "ENOENT", "mknod", `${dir}/x/p`);
  writeText(`${dir}/f`, "x");
  writeText(`${dir}/d/g`, "x");
  const types = ops.readdir(dir).map(({ name, type }) => `${name}=${type}`);
  equal(types.sort(), ["d=dir", "f=file", "null=char", "p=fifo", "s=symlink"]);
  ops.chmod(`${dir}/f`, 0o4711);
  equal(ops.stat(`${dir}/f`).mode & 0o7777, 0o4711);
  ops.chown(`${dir}/s`, 1, 2);
  using link = openFile(`${dir}/s`, O.PATH | O.NOFOLLOW);
  const { mode, uid, gid } = ops.fstat(link.number);
  equal([mode & S.IFMT, uid, gid, ops.stat(`${dir}/s`).uid], [S.IFLNK, 1, 2, 0]);
  await fails(() => ops.rmdir(`${dir}/d`), "ENOTEMPTY");
  ops.rename(`${dir}/d/g`, `${dir}/h`);
  ops.rmdir(`${dir}/d`);
  equal(ops.stat(`${dir}/null`).rdev, 0x103);
});

test("the *at calls work from a directory's descriptor", async (dir) => {
  using directory = new Fd(ops.open(dir, O.PATH | O.DIRECTORY, 0));
  ops.mkdirat(directory.number, "sub", 0o755);
  ops.mkdirat(AT.FDCWD, `${dir}/sub/deep`, 0o755);
  using sub = openFile(`${dir}/sub`, O.DIRECTORY);
  equal(ops.readdirFd(sub.number), [{ name: "deep", type: "dir" }]);
  equal(ops.readdirFd(sub.number).length, 1, "a second listing");
  await fails(() => ops.mkdirat(sub.number, "deep", 0o755), "EEXIST", "mkdirat", "deep");
  await fails(() => ops.unlinkat(sub.number, "deep", 0), "EISDIR", "unlinkat", "deep");
  ops.unlinkat(sub.number, "deep", AT.REMOVEDIR);
  await fails(() => ops.unlinkat(sub.number, "deep", AT.REMOVEDIR), "ENOENT", "unlinkat", "deep");
  equal(ops.readdirFd(sub.number), []);
});

test("openat2 keeps inside", async (dir) => {
  ops.symlink("/etc/passwd", `${dir}/escape`);
  ops.mkdir(`${dir}/etc`, 0o755);
  writeText(`${dir}/etc/passwd`, "inner");
  using root = new Fd(ops.open(dir, O.PATH | O.DIRECTORY, 0));
  using inner = new Fd(ops.openat2(root.number, "escape", { flags: O.RDONLY, resolve: RESOLVE.IN_ROOT }));
  equal(text(ops.readSync(inner.number, 100)), "inner");
  const beneath = { flags: O.RDONLY, resolve: RESOLVE.BENEATH };
  await fails(() => ops.openat2(root.number, "../x", beneath), "EXDEV", "openat2", "../x");
  await fails(() => ops.openat2(root.number, "escape", { flags: 0, resolve: RESOLVE.NO_SYMLINKS }), "ELOOP");
  await fails(() => ops.openat2(root.number, "escape", { flags: 0, resolve: 2 ** 30 }), "EINVAL");
});

test("descriptors are close-on-exec unless asked otherwise", (dir) => {
  using file = openFile(`${dir}/f`, O.CREAT | O.RDWR);
  const cloexec = (fd: number) => (fileFlags(fd) & O.CLOEXEC) !== 0;
  ok(cloexec(file.number), "opened");
  using copy = file.dup();
  ok(cloexec(copy.number), "duplicated");
  ops.setCloexec(copy.number, false);
  ok(!cloexec(copy.number), "cleared");
  ops.dup2(file.number, copy.number);
  ok(!cloexec(copy.number), "dup2's");
});

test("flock excludes another description", async (dir) => {
  using one = openFile(`${dir}/f`, O.CREAT | O.RDWR);
  using two = openFile(`${dir}/f`, O.RDWR);
  ops.flock(one.number, LOCK.EX);
  await fails(() => ops.flock(two.number, LOCK.EX | LOCK.NB), "EAGAIN", "flock");
  ops.flock(one.number, LOCK.UN);
  ops.flock(two.number, LOCK.EX | LOCK.NB);
});

test("statIfThere is undefined where nothing is, and no other error", async (dir) => {
  writeText(`${dir}/f`, "");
  equal(ops.statIfThere(`${dir}/f`)?.size, 0);
  equal(ops.statIfThere(`${dir}/none`), undefined);
  equal(ops.statIfThere(`${dir}/f/below`), undefined);
  ops.symlink("loop", `${dir}/loop`);
  await fails(() => ops.statIfThere(`${dir}/loop`), "ELOOP", "stat", `${dir}/loop`);
});

test("a sealed memfd refuses writes", async () => {
  using memory = new Fd(ops.memfd("plan", true));
  ops.writeSync(memory.number, bytes("plan"));
  ops.addSeals(memory.number, 0xf);
  await fails(() => ops.pwrite(memory.number, bytes("x"), 0), "EPERM", "pwrite");
  using plain = new Fd(ops.memfd("plain", false));
  await fails(() => ops.addSeals(plain.number, 1), "EPERM", "fcntl");
  const long = "x".repeat(250); // memfd_create(2): at most 249
  await fails(() => ops.memfd(long, false), "EINVAL", "memfd_create", long);
});

test("copyPages leaves out what is zero, and overwrites no hole", async (dir) => {
  using from = new Fd(ops.open(`${dir}/from`, O.CREAT | O.RDWR, 0o600));
  using to = new Fd(ops.memfd("to", false));
  const page = 4096;
  ops.ftruncate(from.number, 100 * page);
  ops.pwrite(from.number, new Uint8Array(3 * page), 10 * page); // zeroes, not a hole
  ops.pwrite(from.number, new Uint8Array(2 * page).fill(7), 12 * page);
  ops.pwrite(from.number, new Uint8Array([1]), 80 * page - 1); // the last byte of a page
  ops.pwrite(from.number, new Uint8Array(100).fill(9), 100 * page); // a page that is not whole
  equal(ops.copyPages(from.number, to.number), 3 * page + 100);
  equal(ops.fstat(to.number).size, 100 * page + 100);
  equal(ops.pread(to.number, 2 * page, 12 * page), new Uint8Array(2 * page).fill(7));
  equal(ops.pread(to.number, 2, 80 * page - 1), new Uint8Array([1, 0]));
  equal(ops.pread(to.number, 200, 100 * page), new Uint8Array(100).fill(9));
  equal(ops.fstat(to.number).blocks, (4 * page) / 512); // a memfd's pages are whole
  await fails(() => ops.copyPages(from.number, 998), "EBADF", "pwrite");
  await fails(() => ops.copyPages(998, to.number), "EBADF", "lseek");
});

test("copyFile copies in the kernel, also between file systems", async (dir) => {
  writeText(`${dir}/from`, "x".repeat(100_000));
  using from = openFile(`${dir}/from`);
  using to = new Fd(ops.memfd("copy", false));
  equal(ops.copyFile(from.number, to.number, 200_000), 100_000);
  equal(ops.fstat(to.number).size, 100_000);
  await fails(() => ops.copyFile(to.number, from.number, 1), "EBADF", "copy_file_range"); // not open for writing
});

test("statfs and access tell about /proc", async () => {
  equal(ops.statfs("/proc").type, 0x9fa0);
  ops.access("/proc/self/exe", 1);
  await fails(() => ops.access("/proc/version", 1), "EACCES", "access", "/proc/version");
});

test("mkdirp, exists, writeFileAtomic", async (dir) => {
  mkdirp(`${dir}/a/b/c`);
  mkdirp(`${dir}/a/b/c`);
  ok(exists(`${dir}/a/b/c`) && !exists(`${dir}/a/x`), "exists");
  writeFileAtomic(`${dir}/a/f`, "one", 0o600);
  writeFileAtomic(`${dir}/a/f`, bytes("two"), 0o600);
  equal(readText(`${dir}/a/f`), "two");
  equal(ops.readdir(`${dir}/a`).length, 2, "no temporary file is left");
  await fails(() => writeFileAtomic(`${dir}/none/f`, "x"), "ENOENT");
  await fails(() => mkdirp(`${dir}/a/f/g`), "ENOTDIR");
  await fails(() => mkdirp(`${dir}/a/f`), "EEXIST");
});

test("removeTree removes all, and does not follow links", (dir) => {
  mkdirp(`${dir}/keep`);
  writeText(`${dir}/keep/f`, "x");
  mkdirp(`${dir}/gone/deep/deeper`);
  writeText(`${dir}/gone/deep/f`, "x");
  ops.symlink(`${dir}/keep`, `${dir}/gone/link`);
  removeTree(`${dir}/gone/`);
  removeTree(`${dir}/gone`);
  equal([exists(`${dir}/gone`), readText(`${dir}/keep/f`)], [false, "x"]);
});

child("remove-mounted", async (dir) => {
  ops.mount("", "/", "", MS.REC | MS.PRIVATE, "");
  mkdirp(`${dir}/tree/mounted`);
  ops.mount("none", `${dir}/tree/mounted`, "tmpfs", 0, "");
  writeText(`${dir}/tree/mounted/f`, "x");
  await fails(() => removeTree(`${dir}/tree`), "EXDEV", "openat2", `${dir}/tree/mounted`);
  ok(exists(`${dir}/tree/mounted/f`), "what is mounted is untouched");
  return 0;
});

test("removeTree stops at a mount", async (dir) => {
  equal(await outcomeOf(startChild("remove-mounted", dir, { unshare: 0x20000 })), { code: 0, text: "" });
});
