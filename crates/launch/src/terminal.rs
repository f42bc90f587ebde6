//! The container's terminal: made inside its own devpts, so that /dev/console and ttyname(3) work there.

use crate::control;
use crate::paths::{ensure_file, open_in};
use crate::plan::Console;
use crate::sys::*;

pub fn console(root: i32, step: &Console) -> Result<()> {
    let flags = libc::O_RDWR | libc::O_NOCTTY;
    let master = open_in(Some(root), "/dev/pts/ptmx", flags, 0)
        .or_else(|failure| fail_at(failure.errno, "/dev/pts/ptmx"))?;
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

pub fn controlling_terminal() -> Result<()> {
    check(unsafe { libc::ioctl(0, libc::TIOCSCTTY, 0) })?;
    Ok(())
}
