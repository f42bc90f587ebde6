//! The container's terminal: made inside its own devpts, so that /dev/console and ttyname(3) work there.

use crate::control;
use crate::paths::{ensure_file, open_in};
use crate::plan::Console;
use crate::sys::*;

pub fn console(root: i32, step: &Console) -> Result<()> {
    let flags = libc::O_RDWR | libc::O_NOCTTY;
    let master = open_ptmx(root, flags).or_else(|failure| fail_at(failure.errno, PTMX))?;
    let unlocked: libc::c_int = 0;
    check(unsafe { libc::ioctl(master, libc::TIOCSPTLCK, &unlocked) })?;
    let slave =
        check(unsafe { libc::ioctl(master, libc::TIOCGPTPEER, flags | libc::O_CLOEXEC) })? as i32;
    let gid = step.gid.unwrap_or(u32::MAX);
    check(unsafe { libc::fchown(slave, step.uid, gid) })?;
    if let (Some(rows), Some(columns)) = (step.rows, step.columns) {
        let size = libc::winsize {
            ws_row: rows,
            ws_col: columns,
            ws_xpixel: 0,
            ws_ypixel: 0,
        };
        check(unsafe { libc::ioctl(master, libc::TIOCSWINSZ, &size) })?;
    }
    if step.bind_console {
        let clone = libc::OPEN_TREE_CLONE | libc::AT_EMPTY_PATH as u32;
        let tree = open_tree(slave, "", clone)?;
        let target = ensure_file(Some(root), "/dev/console")?;
        if file_system(target)? == libc::PROC_SUPER_MAGIC {
            return fail_at(libc::EPERM, "/dev/console resolves to procfs");
        }
        move_mount(tree, target)?;
        close(target);
        close(tree);
    }
    control::send(r#"{"fd":"console"}"#, Some(master))?;
    close(master);
    for fd in 0..3 {
        check(unsafe { libc::dup2(slave, fd) })?;
    }
    close(slave);
    Ok(())
}

const PTMX: &str = "/dev/pts/ptmx";

/// Opens the multiplexer of the container's devpts, and nothing else that it may have put there: seen before it is opened, as
/// opening a device may do something, and again afterwards, as it may have been swapped. Else ENXIO.
fn open_ptmx(root: i32, flags: i32) -> Result<i32> {
    let seen = open_in(Some(root), PTMX, libc::O_PATH, 0)?;
    let real = is_ptmx(seen);
    close(seen);
    if !real? {
        return fail(libc::ENXIO);
    }
    let master = open_in(Some(root), PTMX, flags, 0)?;
    if is_ptmx(master)? {
        Ok(master)
    } else {
        fail(libc::ENXIO)
    }
}

/// Documentation/filesystems/devpts.rst: 5:2, on a devpts of its own. (A node 5:2 anywhere else opens the devpts beside it.)
fn is_ptmx(fd: i32) -> Result<bool> {
    Ok(is_device(&fstat(fd)?, 5, 2) && file_system(fd)? == libc::DEVPTS_SUPER_MAGIC)
}

pub fn controlling_terminal() -> Result<()> {
    check(unsafe { libc::ioctl(0, libc::TIOCSCTTY, 0) })?;
    Ok(())
}
