//! Files and nodes that a container's root is given.

use crate::paths::{ensure_directory, split};
use crate::sys::*;

pub fn write(path: &str, text: &str) -> Result<()> {
    let fd = open(path, libc::O_WRONLY)?;
    let written = write_all_at_once(fd, text);
    close(fd);
    written
}

/// The inode of procfs's root: linux/proc_fs.h, PROC_ROOT_INO.
const PROC_ROOT: u64 = 1;

/// Writes to the kernel's own file: /proc is procfs from its root, and nothing is mounted between it and the file.
pub fn write_proc(path: &str, text: &str) -> Result<()> {
    let Some(below) = path.strip_prefix("/proc/") else {
        return fail_at(libc::EINVAL, path);
    };
    let proc = open("/proc", libc::O_PATH | libc::O_DIRECTORY)?;
    if file_system(proc)? != libc::PROC_SUPER_MAGIC || fstat(proc)?.st_ino != PROC_ROOT {
        return fail_at(libc::EPERM, "/proc is not the kernel's");
    }
    let fd = openat2(
        proc,
        below,
        libc::O_WRONLY,
        RESOLVE_BENEATH | RESOLVE_NO_XDEV | RESOLVE_NO_MAGICLINKS,
    )?;
    close(proc);
    let written = write_all_at_once(fd, text);
    close(fd);
    written
}

pub fn symlink(root: Option<i32>, path: &str, to: &str) -> Result<()> {
    let (parent, name) = split(path)?;
    let directory = ensure_directory(root, parent, 0o755)?;
    let made = symlinkat(to, directory, name);
    close(directory);
    made
}

pub struct Node<'a> {
    pub path: &'a str,
    pub mode: u32,
    pub device: u64,
    pub uid: u32,
    pub gid: u32,
}

pub fn mknod(root: Option<i32>, node: &Node) -> Result<()> {
    let (parent, name) = split(node.path)?;
    let directory = ensure_directory(root, parent, 0o755)?;
    match mknodat(directory, name, node.mode, node.device) {
        Err(failure) if failure.errno == libc::EEXIST => {}
        other => other?,
    }
    let fd = openat2(
        directory,
        name,
        libc::O_PATH | libc::O_NOFOLLOW,
        RESOLVE_IN_ROOT,
    )?;
    close(directory);
    let stat = fstat(fd)?;
    let same =
        stat.st_mode & libc::S_IFMT == node.mode & libc::S_IFMT && stat.st_rdev == node.device;
    if !same {
        return fail_at(libc::EEXIST, node.path);
    }
    check(unsafe { libc::fchownat(fd, c"".as_ptr(), node.uid, node.gid, libc::AT_EMPTY_PATH) })?;
    set_mode(fd, node.mode & 0o7777)?;
    close(fd);
    Ok(())
}

/// A new v1 cpuset has no CPU and no memory node, and takes no process until it has: they are the parent's.
pub fn inherit_cpuset(base: &str, path: &str) -> Result<()> {
    let below = path.strip_prefix(base).unwrap_or_default();
    let mut parent = base.to_string();
    for part in below.split('/').filter(|part| !part.is_empty()) {
        let child = format!("{parent}/{part}");
        for file in ["cpuset.cpus", "cpuset.mems"] {
            let own = format!("{child}/{file}");
            if std::fs::read_to_string(&own)?.trim().is_empty() {
                write(&own, &std::fs::read_to_string(format!("{parent}/{file}"))?)?;
            }
        }
        parent = child;
    }
    Ok(())
}
