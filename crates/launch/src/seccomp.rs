//! Installs a seccomp filter, and hands its listener out.

use crate::control;
use crate::sys::*;

/// Installs a filter, given as two words an instruction; with `listener`, what it reports goes out over the control socket.
pub fn install(flags: u32, words: &[u32], listener: bool) -> Result<()> {
    let mut filter: Vec<libc::sock_filter> = words
        .chunks_exact(2)
        .map(|pair| libc::sock_filter {
            code: pair[0] as u16,
            jt: (pair[0] >> 16) as u8,
            jf: (pair[0] >> 24) as u8,
            k: pair[1],
        })
        .collect();
    let program = libc::sock_fprog {
        len: u16::try_from(filter.len()).or(fail(libc::EINVAL))?,
        filter: filter.as_mut_ptr(),
    };
    let set = || -> Result<i32> {
        check(unsafe {
            libc::syscall(
                libc::SYS_seccomp,
                libc::SECCOMP_SET_MODE_FILTER,
                flags,
                &program,
            )
        })
        .map(|fd| fd as i32)
    };
    match listener {
        true => install_and_send(set),
        false => set().map(|_| ()),
    }
}

/// Every call of ours may wait for the listener from the moment that the filter holds, but write(2), which no filter with a listener
/// may have (packages/seccomp). So a process from before it, which shares our descriptors, sends the listener's.
fn install_and_send(set: impl FnOnce() -> Result<i32>) -> Result<()> {
    let mut pair = [0; 2];
    check(unsafe { libc::pipe2(pair.as_mut_ptr(), libc::O_CLOEXEC) })?;
    let [number, tells] = pair;
    let flags = (libc::CLONE_FILES | libc::SIGCHLD) as u64;
    match check(unsafe { libc::syscall(libc::SYS_clone, flags, 0u64, 0u64, 0u64, 0u64) })? {
        0 => unsafe { libc::_exit(send(number)) },
        sender => {
            let installed = set();
            // -1: there is nothing to send.
            let fd = installed.as_ref().copied().unwrap_or(-1);
            write_bytes(tells, &fd.to_ne_bytes())?;
            let mut status = 0;
            check(unsafe { libc::waitpid(sender as i32, &mut status, 0) })?;
            let fd = installed?;
            for ours in [fd, number, tells] {
                close(ours);
            }
            match status {
                0 => Ok(()),
                _ => fail_at(libc::EPIPE, "the listener"),
            }
        }
    }
}

fn send(number: i32) -> i32 {
    let mut bytes = [0; 4];
    let fd = match read(number, &mut bytes) {
        Ok(4) => i32::from_ne_bytes(bytes),
        _ => -1,
    };
    let sent = fd == -1 || control::send(r#"{"fd":"seccomp"}"#, Some(fd)).is_ok();
    i32::from(!sent)
}
