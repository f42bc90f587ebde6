//! The control socket: one JSON object a message (SOCK_SEQPACKET), with at most one descriptor.

use crate::json;
use crate::sys::{Failure, Result, check, exit, read, write_all_at_once};
use std::ffi::c_long;
use std::mem::{size_of, zeroed};
use std::sync::atomic::{AtomicI32, Ordering};

pub const CONTROL: i32 = 4;

/// Where the control socket is: a program's descriptors may need its number.
static SOCKET: AtomicI32 = AtomicI32::new(CONTROL);
/// Where failures are told; CONTROL: wherever the control socket is.
static REPORTS: AtomicI32 = AtomicI32::new(CONTROL);

/// Sends one message; `fd` goes with it.
pub fn send(message: &str, fd: Option<i32>) -> Result<()> {
    let mut vector = libc::iovec {
        iov_base: message.as_ptr() as *mut _,
        iov_len: message.len(),
    };
    // Room for one cmsghdr and one int, aligned as cmsghdr is.
    let mut space = [0u64; 4];
    let mut header: libc::msghdr = unsafe { zeroed() };
    header.msg_iov = &mut vector;
    header.msg_iovlen = 1;
    if let Some(fd) = fd {
        header.msg_control = space.as_mut_ptr().cast();
        header.msg_controllen = unsafe { libc::CMSG_SPACE(size_of::<i32>() as u32) } as usize;
        // SAFETY: msg_control has CMSG_SPACE(4) bytes, so the first header and its data are inside.
        unsafe {
            let first = libc::CMSG_FIRSTHDR(&header);
            (*first).cmsg_level = libc::SOL_SOCKET;
            (*first).cmsg_type = libc::SCM_RIGHTS;
            (*first).cmsg_len = libc::CMSG_LEN(size_of::<i32>() as u32) as usize;
            libc::CMSG_DATA(first).cast::<i32>().write_unaligned(fd);
        }
    }
    check(
        unsafe { libc::sendmsg(SOCKET.load(Ordering::Relaxed), &header, libc::MSG_NOSIGNAL) }
            as c_long,
    )?;
    Ok(())
}

/// Reports a failed step, whose operation is `op`; on stderr when the spawner has gone or gave no control socket.
pub fn report(list: &str, index: usize, op: &str, failure: &Failure) {
    let detail = json::quote(failure.detail.as_deref());
    let errno = failure.errno;
    let message = format!(
        r#"{{"error":{{"list":"{list}","index":{index},"op":"{op}","errno":{errno},"detail":{detail}}}}}"#
    );
    let told = match REPORTS.load(Ordering::Relaxed) {
        CONTROL => send(&message, None),
        fd => write_all_at_once(fd, &message),
    };
    if told.is_err() {
        let why = std::io::Error::from_raw_os_error(errno);
        let what = match &failure.detail {
            None => String::new(),
            Some(_) => format!(" {detail}"),
        };
        eprintln!("kata-launch: {list} step {} ({op}{what}): {why}", index + 1);
    }
}

/// Asks the spawner to do something, and waits until it is done. Its end of the socket closed: it has failed, or is gone.
pub fn ask(what: &str) -> Result<()> {
    send(&format!(r#"{{"ask":{}}}"#, json::quote(Some(what))), None)?;
    if read(SOCKET.load(Ordering::Relaxed), &mut [0])? == 0 {
        exit(1);
    }
    Ok(())
}

/// From here on failures are told to whoever reads `fd`, and no longer to the spawner.
pub fn report_to(fd: i32) {
    REPORTS.store(fd, Ordering::Relaxed);
}

/// Moves what failures are told to out of the numbers below `limit`.
pub fn make_room(limit: i32) -> Result<()> {
    for place in [&SOCKET, &REPORTS] {
        let fd = place.load(Ordering::Relaxed);
        let moves = fd < limit && !(std::ptr::eq(place, &REPORTS) && fd == CONTROL);
        if moves {
            let moved = check(unsafe { libc::fcntl(fd, libc::F_DUPFD_CLOEXEC, limit) } as c_long)?;
            place.store(moved as i32, Ordering::Relaxed);
        }
    }
    Ok(())
}
