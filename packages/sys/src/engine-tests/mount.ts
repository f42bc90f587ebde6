import {
  AT,
  CLONE,
  Fd,
  FS,
  MNT,
  MOUNT_ATTR,
  MOVE_MOUNT,
  MS,
  mkdirp,
  O,
  OPEN_TREE,
  ops,
  readText,
  writeText,
} from "../index.ts";
import { child, equal, fails, ok, openFile, outcomeOf, startChild, test } from "./harness.ts";

/** A test in a mount namespace of its own, with nothing propagated. */
function mountTest(name: string, run: (directory: string) => Promise<void> | void): void {
  child(name, async (directory) => {
    ops.mount("", "/", "", MS.REC | MS.PRIVATE, "");
    await run(directory);
    return 0;
  });
  test(name, async (directory) => {
    equal(await outcomeOf(startChild(name, directory, { unshare: CLONE.NEWNS })), { code: 0, text: "" });
  });
}

mountTest("mount and umount work and fail by path", async (dir) => {
  mkdirp(`${dir}/a`);
  mkdirp(`${dir}/b`);
  ops.mount("none", `${dir}/a`, "tmpfs", MS.NOSUID | MS.NODEV, "size=1m,mode=700");
  equal(ops.stat(`${dir}/a`).mode & 0o777, 0o700);
  writeText(`${dir}/a/f`, "x");
  ops.mount(`${dir}/a`, `${dir}/b`, "", MS.BIND, "");
  ops.mount("", `${dir}/b`, "", MS.BIND | MS.REMOUNT | MS.RDONLY, "");
  await fails(() => writeText(`${dir}/b/g`, "x"), "EROFS");
  await fails(() => ops.umount(`${dir}/nowhere`, 0), "ENOENT", "umount", `${dir}/nowhere`);
  await fails(() => ops.umount(dir, MNT.UMOUNT_NOFOLLOW), "EINVAL", "umount", dir);
  await fails(() => ops.mount("none", `${dir}/a`, "nofs", 0, ""), "ENODEV", "mount", `${dir}/a`);
  ops.umount(`${dir}/b`, MNT.DETACH);
  ops.umount(`${dir}/a`, 0);
});

mountTest(
  "open_tree clones a tree, mount_setattr makes it read-only, move_mount attaches it",
  async (dir) => {
    mkdirp(`${dir}/from`);
    mkdirp(`${dir}/to`);
    writeText(`${dir}/from/f`, "x");
    using tree = new Fd(
      ops.openTree(AT.FDCWD, `${dir}/from`, OPEN_TREE.CLONE | OPEN_TREE.CLOEXEC | AT.RECURSIVE),
    );
    const attr = { set: MOUNT_ATTR.RDONLY | MOUNT_ATTR.NOSUID, propagation: MS.PRIVATE };
    ops.mountSetattr(tree.number, "", AT.EMPTY_PATH | AT.RECURSIVE, attr);
    ops.moveMount(tree.number, "", AT.FDCWD, `${dir}/to`, MOVE_MOUNT.F_EMPTY_PATH);
    equal(readText(`${dir}/to/f`), "x");
    await fails(() => writeText(`${dir}/to/g`, "x"), "EROFS");
    ops.mountSetattr(AT.FDCWD, `${dir}/to`, 0, { clear: MOUNT_ATTR.RDONLY });
    writeText(`${dir}/to/g`, "x");
    await fails(() => ops.openTree(AT.FDCWD, `${dir}/none`, 0), "ENOENT", "open_tree", `${dir}/none`);
    await fails(() => ops.mountSetattr(AT.FDCWD, dir, 0, { set: 1 }), "EINVAL", "mount_setattr", dir);
    await fails(
      () => ops.moveMount(tree.number, "", AT.FDCWD, `${dir}/none`, MOVE_MOUNT.F_EMPTY_PATH),
      "ENOENT",
      "move_mount",
      `${dir}/none`,
    );
  },
);

mountTest("a file system is configured step by step", async (dir) => {
  using config = new Fd(ops.fsopen("tmpfs", FS.CLOEXEC));
  ops.fsconfigString(config.number, "size", "1m");
  ops.fsconfigFlag(config.number, "ro");
  await fails(() => ops.fsconfigString(config.number, "nonsense", "1"), "EINVAL", "fsconfig", "nonsense");
  await fails(() => ops.fsconfigFlag(config.number, "nonsense"), "EINVAL", "fsconfig", "nonsense");
  await fails(() => ops.fsconfigFd(config.number, "size", 0), "EINVAL", "fsconfig", "size");
  ops.fsconfigCreate(config.number);
  using mounted = new Fd(ops.fsmount(config.number, FS.CLOEXEC, MOUNT_ATTR.NOEXEC));
  ops.moveMount(mounted.number, "", AT.FDCWD, dir, MOVE_MOUNT.F_EMPTY_PATH);
  await fails(() => ops.mkdir(`${dir}/d`, 0o755), "EROFS");
  await fails(() => ops.fsopen("nofs", 0), "ENODEV", "fsopen", "nofs");
  await fails(() => ops.fsmount(0, 0, 0), "EINVAL", "fsmount");
  await fails(() => ops.fsconfigCreate(0), "EINVAL", "fsconfig", "create");
});

mountTest("a file system is given descriptors: overlay's layers, since Linux 6.13", async (dir) => {
  const [major = 0, minor = 0] = ops.uname().release.split(".").map(Number);
  const takesThem = major > 6 || (major === 6 && minor >= 13);
  using config = new Fd(ops.fsopen("overlay", FS.CLOEXEC));
  for (const name of ["upper", "lower"]) {
    mkdirp(`${dir}/${name}`);
    writeText(`${dir}/${name}/${name}-file`, "x");
    using layer = openFile(`${dir}/${name}`, O.DIRECTORY);
    const add = () => ops.fsconfigFd(config.number, "lowerdir+", layer.number);
    if (!takesThem) await fails(add, "EINVAL", "fsconfig", "lowerdir+");
    else add();
  }
  if (!takesThem) return;
  ops.fsconfigCreate(config.number);
  using mounted = new Fd(ops.fsmount(config.number, FS.CLOEXEC, 0));
  mkdirp(`${dir}/merged`);
  ops.moveMount(mounted.number, "", AT.FDCWD, `${dir}/merged`, MOVE_MOUNT.F_EMPTY_PATH);
  const names = ops.readdir(`${dir}/merged`).map(({ name }) => name);
  equal(names.sort(), ["lower-file", "upper-file"]);
});

mountTest("pivot_root changes the root", async (dir) => {
  await fails(() => ops.pivotRoot(dir, dir), "EBUSY", "pivot_root", dir);
  ops.mount("none", dir, "tmpfs", 0, "");
  mkdirp(`${dir}/old`);
  writeText(`${dir}/here`, "x");
  ops.pivotRoot(dir, `${dir}/old`);
  ops.chdir("/");
  ops.umount("/old", MNT.DETACH);
  equal(
    ops
      .readdir("/")
      .map(({ name }) => name)
      .sort(),
    ["here", "old"],
  );
  using root = new Fd(ops.open("/", O.PATH, 0));
  ok(root.number > 2, "the new root opens");
});
