//! CVE-2019-5736: a process of the container may open our /proc/<pid>/exe. What it finds there is a sealed copy in memory.

use crate::sys::*;

const SEALS: i32 = libc::F_SEAL_SEAL | libc::F_SEAL_SHRINK | libc::F_SEAL_GROW | libc::F_SEAL_WRITE;

/// Are we running from a sealed copy?
pub fn is_sealed() -> Result<bool> {
    let fd = open("/proc/self/exe", libc::O_RDONLY)?;
    let seals = unsafe { libc::fcntl(fd, libc::F_GET_SEALS) };
    close(fd);
    Ok(seals & SEALS == SEALS && seals != -1)
}

/// Starts again from a sealed copy, with the plan in a new descriptor 3. Returns only an error.
pub fn run_sealed(plan: &[u8]) -> Result<()> {
    // First, so that no later descriptor takes its number.
    pass_plan(plan)?;
    let copy = memfd("kata-launch")?;
    let source = open("/proc/self/exe", libc::O_RDONLY)?;
    let length = fstat(source)?.st_size as usize;
    let mut copied = 0;
    while copied < length {
        let count = unsafe { libc::sendfile(copy, source, std::ptr::null_mut(), length - copied) };
        match check(count as i64)? {
            0 => return fail(libc::EIO),
            count => copied += count as usize,
        }
    }
    check(unsafe { libc::fcntl(copy, libc::F_ADD_SEALS, SEALS) })?;
    let argv = [c"kata-launch".as_ptr(), std::ptr::null()];
    let envp: [*const std::ffi::c_char; 1] = [std::ptr::null()];
    check(unsafe {
        libc::syscall(
            libc::SYS_execveat,
            copy,
            c"".as_ptr(),
            argv.as_ptr(),
            envp.as_ptr(),
            libc::AT_EMPTY_PATH,
        )
    })?;
    Ok(())
}

fn pass_plan(plan: &[u8]) -> Result<()> {
    use std::io::{Seek, Write};
    use std::os::fd::{FromRawFd, IntoRawFd};
    // SAFETY: the descriptor is new and ours.
    let mut file = unsafe { std::fs::File::from_raw_fd(memfd("plan")?) };
    file.write_all(plan)?;
    file.rewind()?;
    let fd = file.into_raw_fd();
    if fd == crate::PLAN {
        return set_close_on_exec(fd, false);
    }
    check(unsafe { libc::dup2(fd, crate::PLAN) })?;
    Ok(())
}
