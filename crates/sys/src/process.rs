//! This process, and processes by their pidfd.

use crate::error::{Context, OpError, Res, check};
use crate::reactor::{Direction, hold, polled};
use crate::table::{ops, wire};
use crate::value::Bytes;
use rustix::io::Errno;
use std::ffi::CString;
use std::future::Future;
use std::os::fd::RawFd;

wire! {
    /// Exactly one of code and signal is there.
    pub struct ExitStatus { pub pid: i32, pub code: Option<i32>, pub signal: Option<i32> }
    pub struct Uname { pub sysname: String, pub nodename: String, pub release: String, pub version: String, pub machine: String }
}

ops! {
    sync getpid() -> i32;
    sync geteuid() -> u32;
    /// waitid(P_PIDFD, WEXITED): waits for the child, reaps it.
    later wait_pidfd(pidfd: i32) -> ExitStatus;
    /// Waits until the process has ended (poll on the pidfd), for processes that are not our children.
    later pidfd_ended(pidfd: i32) -> ();
    /// waitpid(-1, WNOHANG): for PID 1 and subreapers. undefined = nothing to reap.
    own reap_any() -> Option<ExitStatus>;
    sync pidfd_open(pid: i32) -> i32;
    sync pidfd_send_signal(pidfd: i32, signal: i32) -> ();
    sync kill(pid: i32, signal: i32) -> ();
    own setns(fd: i32, flags: u32) -> ();
    /// NS_GET_NSTYPE: the CLONE_NEW* flag of a namespace's descriptor; ENOTTY: it is none.
    sync namespace_type(fd: i32) -> u32;
    own unshare(flags: u32) -> ();
    own setsid() -> i32;
    own chdir(path: String) -> ();
    own chroot(path: String) -> ();
    /// Goes on as another program: returns only to throw. What is close-on-exec is closed; blocked signals stay blocked.
    own execve(path: String, argv: Vec<String>, env: Vec<String>) -> ();
    /// Of sched_getaffinity(2).
    sync cpu_count() -> u32;
    sync uname() -> Uname;
    sync sethostname(name: String) -> ();
    sync set_realtime(sec: i64, usec: i64) -> ();
    sync sync() -> ();
    sync finit_module(fd: i32, params: String) -> ();
    /// RNDADDENTROPY, then RNDRESEEDCRNG.
    sync add_entropy(bytes: Bytes) -> ();
    /// Blocks these signals in the process and returns a signalfd; read with signalRead. spawn() unblocks all in children.
    own signal_open(signals: Vec<i32>) -> i32;
    later signal_read(fd: i32) -> i32;
}

/// A path or name as the kernel takes it.
pub(crate) fn c_string(text: &str) -> Res<CString> {
    CString::new(text).map_err(|_| OpError {
        text: Some("holds a NUL character".into()),
        path: text.replace('\0', "\\0"),
        ..OpError::new(libc::EINVAL, "op")
    })
}

fn getpid() -> Res<i32> {
    // SAFETY: no pointer.
    Ok(unsafe { libc::getpid() })
}

fn geteuid() -> Res<u32> {
    // SAFETY: no pointer.
    Ok(unsafe { libc::geteuid() })
}

/// waitid that does not block: EAGAIN while the child runs.
fn waited(pidfd: RawFd) -> Result<ExitStatus, Errno> {
    // SAFETY: siginfo is plain data that waitid fills.
    let mut info: libc::siginfo_t = unsafe { std::mem::zeroed() };
    // SAFETY: as above.
    check(unsafe {
        libc::waitid(
            libc::P_PIDFD,
            pidfd as u32,
            &raw mut info,
            libc::WEXITED | libc::WNOHANG | libc::__WALL,
        )
    })?;
    // SAFETY: waitid fills these fields, or leaves them 0.
    let (pid, status) = unsafe { (info.si_pid(), info.si_status()) };
    if pid == 0 {
        return Err(Errno::AGAIN);
    }
    Ok(ended(pid, info.si_code == libc::CLD_EXITED, status))
}

fn ended(pid: i32, exited: bool, status: i32) -> ExitStatus {
    let (code, signal) = if exited {
        (Some(status), None)
    } else {
        (None, Some(status))
    };
    ExitStatus { pid, code, signal }
}

fn wait_pidfd(pidfd: i32) -> Res<impl Future<Output = Res<ExitStatus>> + Send> {
    let hold = hold(pidfd)?;
    Ok(async move {
        hold.attempt(Direction::Read, |fd, _| waited(fd))
            .await
            .call("waitid")
    })
}

fn pidfd_ended(pidfd: i32) -> Res<impl Future<Output = Res<()>> + Send> {
    let hold = hold(pidfd)?;
    Ok(async move {
        hold.attempt(Direction::Read, |fd, _| polled(fd, libc::POLLIN))
            .await
            .call("poll")
    })
}

fn reap_any() -> Res<Option<ExitStatus>> {
    let mut status = 0;
    // SAFETY: waitpid writes the status.
    match check(unsafe { libc::waitpid(-1, &raw mut status, libc::WNOHANG | libc::__WALL) }) {
        Ok(0) | Err(Errno::CHILD) => Ok(None),
        Ok(pid) => {
            let exited = libc::WIFEXITED(status);
            let value = if exited {
                libc::WEXITSTATUS(status)
            } else {
                libc::WTERMSIG(status)
            };
            Ok(Some(ended(pid as i32, exited, value)))
        }
        Err(errno) => Err(errno).call("waitpid"),
    }
}

fn pidfd_open(pid: i32) -> Res<i32> {
    // SAFETY: no pointer.
    Ok(check(unsafe { libc::syscall(libc::SYS_pidfd_open, pid, 0) }).call("pidfd_open")? as i32)
}

fn pidfd_send_signal(pidfd: i32, signal: i32) -> Res<()> {
    // SAFETY: no pointer.
    check(unsafe { libc::syscall(libc::SYS_pidfd_send_signal, pidfd, signal, 0, 0) })
        .call("pidfd_send_signal")?;
    Ok(())
}

fn kill(pid: i32, signal: i32) -> Res<()> {
    // SAFETY: no pointer.
    check(unsafe { libc::kill(pid, signal) }).on("kill", &pid.to_string())?;
    Ok(())
}

fn setns(fd: i32, flags: u32) -> Res<()> {
    // SAFETY: no pointer.
    check(unsafe { libc::setns(fd, flags as i32) }).call("setns")?;
    Ok(())
}

pub(crate) fn namespace_type(fd: i32) -> Res<u32> {
    const NS_GET_NSTYPE: u64 = 0xb703;
    // SAFETY: the request takes no pointer.
    Ok(check(unsafe { libc::ioctl(fd, NS_GET_NSTYPE) }).call("ioctl NS_GET_NSTYPE")? as u32)
}

fn unshare(flags: u32) -> Res<()> {
    // SAFETY: no pointer.
    check(unsafe { libc::unshare(flags as i32) }).call("unshare")?;
    Ok(())
}

fn setsid() -> Res<i32> {
    // SAFETY: no pointer.
    Ok(check(unsafe { libc::setsid() }).call("setsid")? as i32)
}

fn chdir(path: String) -> Res<()> {
    rustix::process::chdir(&*path).on("chdir", &path)
}

fn chroot(path: String) -> Res<()> {
    rustix::process::chroot(&*path).on("chroot", &path)
}

fn cpu_count() -> Res<u32> {
    let set = rustix::thread::sched_getaffinity(None).call("sched_getaffinity")?;
    Ok(set.count())
}

fn uname() -> Res<Uname> {
    let uname = rustix::system::uname();
    let text = |name: &std::ffi::CStr| name.to_string_lossy().into_owned();
    Ok(Uname {
        sysname: text(uname.sysname()),
        nodename: text(uname.nodename()),
        release: text(uname.release()),
        version: text(uname.version()),
        machine: text(uname.machine()),
    })
}

fn sethostname(name: String) -> Res<()> {
    rustix::system::sethostname(name.as_bytes()).on("sethostname", &name)
}

fn set_realtime(sec: i64, usec: i64) -> Res<()> {
    let time = libc::timespec {
        tv_sec: sec,
        tv_nsec: usec * 1000,
    };
    // SAFETY: the time outlives the call.
    check(unsafe { libc::clock_settime(libc::CLOCK_REALTIME, &raw const time) })
        .call("clock_settime")?;
    Ok(())
}

fn sync() -> Res<()> {
    // SAFETY: no pointer.
    unsafe { libc::sync() };
    Ok(())
}

fn finit_module(fd: i32, params: String) -> Res<()> {
    let params = c_string(&params)?;
    // SAFETY: the parameters are a C string that outlives the call.
    check(unsafe { libc::syscall(libc::SYS_finit_module, fd, params.as_ptr(), 0) })
        .call("finit_module")?;
    Ok(())
}

fn add_entropy(bytes: Bytes) -> Res<()> {
    const RNDADDENTROPY: u64 = 0x4008_5203;
    const RNDRESEEDCRNG: u64 = 0x5207;
    let random = std::fs::OpenOptions::new().write(true).open("/dev/urandom");
    let random = random
        .map_err(|error| OpError::new(error.raw_os_error().unwrap_or(0), "open"))
        .map_err(|error| OpError {
            path: "/dev/urandom".into(),
            ..error
        })?;
    // struct rand_pool_info: int entropy_count (bits), int buf_size, then the bytes.
    let len = bytes.0.len() as i32;
    let mut pool = Vec::with_capacity(bytes.0.len() + 8);
    pool.extend_from_slice(&len.saturating_mul(8).to_ne_bytes());
    pool.extend_from_slice(&len.to_ne_bytes());
    pool.extend_from_slice(&bytes.0);
    let fd = std::os::fd::AsRawFd::as_raw_fd(&random);
    // SAFETY: the kernel reads the header and `len` bytes behind it.
    check(unsafe { libc::ioctl(fd, RNDADDENTROPY, pool.as_ptr()) })
        .on("ioctl RNDADDENTROPY", "/dev/urandom")?;
    // SAFETY: no pointer.
    check(unsafe { libc::ioctl(fd, RNDRESEEDCRNG) }).on("ioctl RNDRESEEDCRNG", "/dev/urandom")?;
    Ok(())
}

fn signal_open(signals: Vec<i32>) -> Res<i32> {
    // SAFETY: sigset_t is plain data that sigemptyset fills.
    let mut set: libc::sigset_t = unsafe { std::mem::zeroed() };
    // SAFETY: as above.
    unsafe { libc::sigemptyset(&raw mut set) };
    for signal in signals {
        // SAFETY: as above; a number that is no signal is an error.
        check(unsafe { libc::sigaddset(&raw mut set, signal) })
            .on("sigaddset", &signal.to_string())?;
    }
    // SAFETY: the set outlives both calls.
    let fd = unsafe {
        libc::pthread_sigmask(libc::SIG_BLOCK, &raw const set, std::ptr::null_mut());
        libc::signalfd(-1, &raw const set, libc::SFD_CLOEXEC | libc::SFD_NONBLOCK)
    };
    Ok(check(fd).call("signalfd")? as i32)
}

fn signal_read(fd: i32) -> Res<impl Future<Output = Res<i32>> + Send> {
    let hold = hold(fd)?;
    let one = |fd: RawFd| {
        // SAFETY: signalfd_siginfo is plain data; the kernel writes one, whole.
        let mut info: libc::signalfd_siginfo = unsafe { std::mem::zeroed() };
        // SAFETY: as above.
        check(unsafe {
            libc::read(
                fd,
                (&raw mut info).cast(),
                size_of::<libc::signalfd_siginfo>(),
            )
        } as i64)?;
        Ok(info.ssi_signo as i32)
    };
    Ok(async move {
        hold.attempt(Direction::Read, |fd, _| one(fd))
            .await
            .call("read")
    })
}

fn execve(path: String, argv: Vec<String>, env: Vec<String>) -> Res<()> {
    let program = c_string(&path)?;
    let (argv, env) = (c_strings(&argv)?, c_strings(&env)?);
    let (argv, env) = (pointers(&argv), pointers(&env));
    // SAFETY: NUL-terminated strings in NULL-terminated lists, which outlive the call.
    check(unsafe { libc::execve(program.as_ptr(), argv.as_ptr(), env.as_ptr()) })
        .on("execve", &path)?;
    Ok(())
}

pub(crate) fn c_strings(texts: &[String]) -> Res<Vec<CString>> {
    texts.iter().map(|text| c_string(text)).collect()
}

/// A NULL-terminated list for execve.
pub(crate) fn pointers(texts: &[CString]) -> Vec<*const libc::c_char> {
    let ends = std::iter::once(std::ptr::null());
    texts.iter().map(|text| text.as_ptr()).chain(ends).collect()
}
