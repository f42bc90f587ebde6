//! Id-mapped mounts: a tree whose owners are shown as a user namespace maps them (mount_setattr(2), MOUNT_ATTR_IDMAP).

use crate::files;
use crate::plan::{IdMap, OpenTree};
use crate::sys::*;

const AT_RECURSIVE: u32 = 0x8000;

/// Opens a clone of a tree, mapped.
pub fn open(step: &OpenTree) -> Result<i32> {
    let recursive = if step.recursive { AT_RECURSIVE } else { 0 };
    let tree = open_tree(
        libc::AT_FDCWD,
        &step.source,
        libc::OPEN_TREE_CLONE | recursive,
    )
    .or_else(|failure| fail_at(failure.errno, &step.source))?;
    let namespace = match &step.map {
        IdMap::Namespace(path) => crate::sys::open(path, libc::O_RDONLY)
            .or_else(|failure| fail_at(failure.errno, path))?,
        IdMap::Ids { uid, gid } => new_namespace(uid, gid)?,
    };
    let below = if step.map_recursive { AT_RECURSIVE } else { 0 };
    let mapped = map_ids(tree, libc::AT_EMPTY_PATH as u32 | below, namespace);
    close(namespace);
    mapped.map(|()| tree)
}

/// A user namespace with these maps, kept by its descriptor alone.
fn new_namespace(uid: &str, gid: &str) -> Result<i32> {
    let mut pair = [0; 2];
    check(unsafe { libc::pipe2(pair.as_mut_ptr(), libc::O_CLOEXEC) })?;
    let [waits, ends] = pair;
    let flags = (libc::CLONE_NEWUSER | libc::SIGCHLD) as u64;
    let holder = check(unsafe { libc::syscall(libc::SYS_clone, flags, 0u64, 0u64, 0u64, 0u64) })?;
    if holder == 0 {
        // Until we have it, or are gone.
        close(ends);
        let _ = read(waits, &mut [0]);
        unsafe { libc::_exit(0) };
    }
    close(waits);
    let process = format!("/proc/{holder}");
    let opened = files::write_proc(&format!("{process}/uid_map"), uid)
        .and_then(|()| files::write_proc(&format!("{process}/gid_map"), gid))
        .and_then(|()| crate::sys::open(&format!("{process}/ns/user"), libc::O_RDONLY));
    close(ends);
    check(unsafe { libc::waitpid(holder as i32, std::ptr::null_mut(), 0) })?;
    opened
}
