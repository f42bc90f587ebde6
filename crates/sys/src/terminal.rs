//! Terminals: pseudo-terminal pairs, window sizes, modes.

use crate::error::{Context, OpError, Res, check};
use crate::table::{ops, wire};
use crate::value::Bytes;
use std::os::fd::{AsRawFd, FromRawFd, IntoRawFd, OwnedFd, RawFd};

wire! {
    pub struct Winsize { pub row: u32, pub col: u32 }
    /// path: the slave's, /dev/pts/N
    pub struct PtyPair { pub master: i32, pub slave: i32, pub path: String }
}

ops! {
    /// From /dev/ptmx.
    sync open_pty() -> PtyPair;
    sync isatty(fd: i32) -> bool;
    sync get_winsize(fd: i32) -> Winsize;
    sync set_winsize(fd: i32, size: Winsize) -> ();
    /// Raw mode; returns the old settings, opaque, for setTermios.
    sync make_raw(fd: i32) -> Bytes;
    sync set_termios(fd: i32, termios: Bytes) -> ();
}

fn open_pty() -> Res<PtyPair> {
    let flags = libc::O_RDWR | libc::O_NOCTTY | libc::O_CLOEXEC;
    // SAFETY: the argument is plain data of the size that the call takes.
    let master = unsafe {
        OwnedFd::from_raw_fd(
            check(libc::open(c"/dev/ptmx".as_ptr(), flags)).on("open", "/dev/ptmx")? as RawFd,
        )
    };
    let (unlocked, mut number) = (0i32, 0u32);
    // SAFETY: the argument is plain data of the size that the call takes.
    check(unsafe { libc::ioctl(master.as_raw_fd(), libc::TIOCSPTLCK, &raw const unlocked) })
        .call("ioctl TIOCSPTLCK")?;
    // SAFETY: the argument is plain data of the size that the call takes.
    check(unsafe { libc::ioctl(master.as_raw_fd(), libc::TIOCGPTN, &raw mut number) })
        .call("ioctl TIOCGPTN")?;
    // By the master, not by a path: /dev/pts may be another instance's.
    // SAFETY: the argument is plain data of the size that the call takes.
    let slave = check(unsafe { libc::ioctl(master.as_raw_fd(), libc::TIOCGPTPEER, flags) })
        .call("ioctl TIOCGPTPEER")?;
    Ok(PtyPair {
        master: master.into_raw_fd(),
        slave: slave as i32,
        path: format!("/dev/pts/{number}"),
    })
}

fn isatty(fd: i32) -> Res<bool> {
    // SAFETY: the argument is plain data of the size that the call takes.
    Ok(unsafe { libc::isatty(fd) } == 1)
}

fn get_winsize(fd: i32) -> Res<Winsize> {
    // SAFETY: the argument is plain data of the size that the call takes.
    let mut size: libc::winsize = unsafe { std::mem::zeroed() };
    // SAFETY: the argument is plain data of the size that the call takes.
    check(unsafe { libc::ioctl(fd, libc::TIOCGWINSZ, &raw mut size) }).call("ioctl TIOCGWINSZ")?;
    Ok(Winsize {
        row: size.ws_row.into(),
        col: size.ws_col.into(),
    })
}

fn set_winsize(fd: i32, size: Winsize) -> Res<()> {
    let narrow =
        |number: u32| u16::try_from(number).map_err(|_| OpError::argument("size", "at most 65535"));
    let size = libc::winsize {
        ws_row: narrow(size.row)?,
        ws_col: narrow(size.col)?,
        ws_xpixel: 0,
        ws_ypixel: 0,
    };
    // SAFETY: the argument is plain data of the size that the call takes.
    check(unsafe { libc::ioctl(fd, libc::TIOCSWINSZ, &raw const size) })
        .call("ioctl TIOCSWINSZ")?;
    Ok(())
}

fn termios_of(fd: RawFd) -> Res<libc::termios> {
    // SAFETY: the argument is plain data of the size that the call takes.
    let mut termios: libc::termios = unsafe { std::mem::zeroed() };
    // SAFETY: the argument is plain data of the size that the call takes.
    check(unsafe { libc::tcgetattr(fd, &raw mut termios) }).call("tcgetattr")?;
    Ok(termios)
}

fn apply(fd: RawFd, termios: &libc::termios) -> Res<()> {
    // SAFETY: the argument is plain data of the size that the call takes.
    check(unsafe { libc::tcsetattr(fd, libc::TCSANOW, termios) }).call("tcsetattr")?;
    Ok(())
}

const TERMIOS_LEN: usize = size_of::<libc::termios>();

fn make_raw(fd: i32) -> Res<Bytes> {
    let old = termios_of(fd)?;
    let mut raw = old;
    // SAFETY: the argument is plain data of the size that the call takes.
    unsafe { libc::cfmakeraw(&raw mut raw) };
    apply(fd, &raw)?;
    // SAFETY: the argument is plain data of the size that the call takes.
    let bytes = unsafe { std::slice::from_raw_parts((&raw const old).cast::<u8>(), TERMIOS_LEN) };
    Ok(Bytes(bytes.to_vec()))
}

fn set_termios(fd: i32, termios: Bytes) -> Res<()> {
    if termios.0.len() != TERMIOS_LEN {
        return Err(OpError::argument("termios", "what makeRaw returned"));
    }
    // SAFETY: the argument is plain data of the size that the call takes.
    apply(fd, &unsafe {
        termios.0.as_ptr().cast::<libc::termios>().read_unaligned()
    })
}
