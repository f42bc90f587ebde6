//! System calls, one function each: a value or an errno.

use std::ffi::{CString, c_char, c_int, c_long};
use std::ptr::null;

/// Why a step failed.
#[derive(Debug)]
pub struct Failure {
    pub errno: i32,
    /// What the step's own text cannot tell: the part of a path, the program found.
    pub detail: Option<String>,
}

pub type Result<T> = std::result::Result<T, Failure>;

pub fn fail<T>(errno: i32) -> Result<T> {
    Err(Failure {
        errno,
        detail: None,
    })
}

pub fn fail_at<T>(errno: i32, detail: impl Into<String>) -> Result<T> {
    Err(Failure {
        errno,
        detail: Some(detail.into()),
    })
}

impl From<std::io::Error> for Failure {
    fn from(error: std::io::Error) -> Self {
        Failure {
            errno: error.raw_os_error().unwrap_or(libc::EIO),
            detail: None,
        }
    }
}

/// -1 becomes errno.
pub fn check(result: impl Into<c_long>) -> Result<c_long> {
    match result.into() {
        -1 => Err(std::io::Error::last_os_error().into()),
        value => Ok(value),
    }
}

fn check_fd(result: impl Into<c_long>) -> Result<i32> {
    check(result).map(|fd| fd as i32)
}

/// Ends this process, and with it nothing that the C library would do at an end: nothing of ours is buffered.
pub fn exit(status: i32) -> ! {
    // SAFETY: takes no pointer.
    unsafe { libc::_exit(status) }
}

pub fn c_string(text: &str) -> Result<CString> {
    CString::new(text).or(fail(libc::EINVAL))
}

macro_rules! syscall {
    ($number:expr $(, $argument:expr)* $(,)?) => {
        check(unsafe { libc::syscall($number $(, $argument)*) })
    };
}

#[repr(C)]
struct OpenHow {
    flags: u64,
    mode: u64,
    resolve: u64,
}

pub const RESOLVE_IN_ROOT: u64 = 0x10;
pub const RESOLVE_BENEATH: u64 = 0x08;
pub const RESOLVE_NO_SYMLINKS: u64 = 0x04;
pub const RESOLVE_NO_MAGICLINKS: u64 = 0x02;
pub const RESOLVE_NO_XDEV: u64 = 0x01;

pub fn openat2(dir: i32, path: &str, flags: i32, resolve: u64) -> Result<i32> {
    let how = OpenHow {
        flags: (flags | libc::O_CLOEXEC) as u64,
        mode: 0,
        resolve,
    };
    let path = c_string(path)?;
    loop {
        // EAGAIN: a rename was going on somewhere while ".." was resolved (openat2(2)); ask again.
        match syscall!(
            libc::SYS_openat2,
            dir,
            path.as_ptr(),
            &how,
            size_of::<OpenHow>()
        ) {
            Err(failure) if failure.errno == libc::EAGAIN || failure.errno == libc::EINTR => {}
            other => return other.map(|fd| fd as i32),
        }
    }
}

pub fn open(path: &str, flags: i32) -> Result<i32> {
    let path = c_string(path)?;
    check_fd(unsafe { libc::open(path.as_ptr(), flags | libc::O_CLOEXEC) })
}

pub fn close(fd: i32) {
    unsafe { libc::close(fd) };
}

/// What `from` is open on becomes `to`, closed on exec.
pub fn replace(to: i32, from: i32) -> Result<()> {
    check(unsafe { libc::dup3(from, to, libc::O_CLOEXEC) })?;
    close(from);
    Ok(())
}

pub fn write_all_at_once(fd: i32, text: &str) -> Result<()> {
    check(unsafe { libc::write(fd, text.as_ptr().cast(), text.len()) } as c_long)?;
    Ok(())
}

/// Less than PIPE_BUF: one write(2).
pub fn write_bytes(fd: i32, bytes: &[u8]) -> Result<()> {
    check(unsafe { libc::write(fd, bytes.as_ptr().cast(), bytes.len()) } as c_long)?;
    Ok(())
}

pub fn mkdirat(dir: i32, name: &str, mode: u32) -> Result<()> {
    let name = c_string(name)?;
    check(unsafe { libc::mkdirat(dir, name.as_ptr(), mode) })?;
    Ok(())
}

pub fn mknodat(dir: i32, name: &str, mode: u32, device: u64) -> Result<()> {
    let name = c_string(name)?;
    check(unsafe { libc::mknodat(dir, name.as_ptr(), mode, device) })?;
    Ok(())
}

pub fn symlinkat(to: &str, dir: i32, name: &str) -> Result<()> {
    let (to, name) = (c_string(to)?, c_string(name)?);
    check(unsafe { libc::symlinkat(to.as_ptr(), dir, name.as_ptr()) })?;
    Ok(())
}

pub fn readlinkat(dir: i32, name: &str) -> Result<String> {
    let name = c_string(name)?;
    let mut buffer = vec![0u8; libc::PATH_MAX as usize];
    let length = check(unsafe {
        libc::readlinkat(dir, name.as_ptr(), buffer.as_mut_ptr().cast(), buffer.len())
    } as c_long)?;
    buffer.truncate(length as usize);
    String::from_utf8(buffer).or(fail(libc::EINVAL))
}

/// chmod(2) of what a descriptor is open on, O_PATH or not.
pub fn set_mode(fd: i32, mode: u32) -> Result<()> {
    let path = c_string(&fd_path(fd))?;
    check(unsafe { libc::chmod(path.as_ptr(), mode) })?;
    Ok(())
}

pub fn fstat(fd: i32) -> Result<libc::stat> {
    let mut stat = unsafe { std::mem::zeroed() };
    check(unsafe { libc::fstat(fd, &mut stat) })?;
    Ok(stat)
}

/// The type of the file system that `fd` is on: a *_SUPER_MAGIC.
pub fn file_system(fd: i32) -> Result<i64> {
    let mut stat: libc::statfs = unsafe { std::mem::zeroed() };
    check(unsafe { libc::fstatfs(fd, &mut stat) })?;
    Ok(stat.f_type)
}

pub fn is_device(stat: &libc::stat, major: u32, minor: u32) -> bool {
    stat.st_mode & libc::S_IFMT == libc::S_IFCHR && stat.st_rdev == libc::makedev(major, minor)
}

pub fn mount(
    source: Option<&str>,
    target: &str,
    fstype: Option<&str>,
    flags: u64,
    data: &str,
) -> Result<()> {
    let source = source.map(c_string).transpose()?;
    let fstype = fstype.map(c_string).transpose()?;
    let (target, data) = (c_string(target)?, c_string(data)?);
    check(unsafe {
        libc::mount(
            pointer(&source),
            target.as_ptr(),
            pointer(&fstype),
            flags,
            data.as_ptr().cast(),
        )
    })?;
    Ok(())
}

fn pointer(text: &Option<CString>) -> *const c_char {
    text.as_ref().map_or(null(), |text| text.as_ptr())
}

pub fn open_tree(dir: i32, path: &str, flags: u32) -> Result<i32> {
    let path = c_string(path)?;
    syscall!(
        libc::SYS_open_tree,
        dir,
        path.as_ptr(),
        flags | libc::OPEN_TREE_CLOEXEC
    )
    .map(|fd| fd as i32)
}

/// A context for a new file system of this type: include/uapi/linux/mount.h for this and the next.
pub fn fsopen(fstype: &str) -> Result<i32> {
    const FSOPEN_CLOEXEC: u32 = 1;
    let fstype = c_string(fstype)?;
    syscall!(libc::SYS_fsopen, fstype.as_ptr(), FSOPEN_CLOEXEC).map(|fd| fd as i32)
}

pub fn fsconfig_flag(context: i32, key: &str) -> Result<()> {
    const FSCONFIG_SET_FLAG: u32 = 0;
    fsconfig(context, FSCONFIG_SET_FLAG, Some(key), None)
}

pub fn fsconfig_string(context: i32, key: &str, value: &str) -> Result<()> {
    const FSCONFIG_SET_STRING: u32 = 1;
    fsconfig(context, FSCONFIG_SET_STRING, Some(key), Some(value))
}

pub fn fsconfig_create(context: i32) -> Result<()> {
    const FSCONFIG_CMD_CREATE: u32 = 6;
    fsconfig(context, FSCONFIG_CMD_CREATE, None, None)
}

fn fsconfig(context: i32, command: u32, key: Option<&str>, value: Option<&str>) -> Result<()> {
    let (key, value) = (
        key.map(c_string).transpose()?,
        value.map(c_string).transpose()?,
    );
    syscall!(
        libc::SYS_fsconfig,
        context,
        command,
        pointer(&key),
        pointer(&value),
        0
    )?;
    Ok(())
}

/// The file system of a context, mounted nowhere. `attributes`: MOUNT_ATTR_*.
pub fn fsmount(context: i32, attributes: u64) -> Result<i32> {
    const FSMOUNT_CLOEXEC: u32 = 1;
    syscall!(
        libc::SYS_fsmount,
        context,
        FSMOUNT_CLOEXEC,
        attributes as u32
    )
    .map(|fd| fd as i32)
}

const MOVE_MOUNT_F_EMPTY_PATH: u32 = 0x04;
const MOVE_MOUNT_T_EMPTY_PATH: u32 = 0x40;

/// Attaches the mount behind `tree` on what `target` is open on.
pub fn move_mount(tree: i32, target: i32) -> Result<()> {
    let empty: *const c_char = c"".as_ptr();
    syscall!(
        libc::SYS_move_mount,
        tree,
        empty,
        target,
        empty,
        MOVE_MOUNT_F_EMPTY_PATH | MOVE_MOUNT_T_EMPTY_PATH
    )?;
    Ok(())
}

#[repr(C)]
struct MountAttr {
    set: u64,
    clear: u64,
    propagation: u64,
    userns_fd: u64,
}

pub fn mount_setattr(
    dir: i32,
    path: &str,
    flags: c_int,
    set: u64,
    clear: u64,
    propagation: u64,
) -> Result<()> {
    let attr = MountAttr {
        set,
        clear,
        propagation,
        userns_fd: 0,
    };
    set_attributes(dir, path, flags, &attr)
}

/// Shows the owners in the mount behind `tree` as a user namespace maps them.
pub fn map_ids(tree: i32, flags: u32, user_namespace: i32) -> Result<()> {
    let attr = MountAttr {
        set: libc::MOUNT_ATTR_IDMAP,
        clear: 0,
        propagation: 0,
        userns_fd: user_namespace as u64,
    };
    set_attributes(tree, "", flags as c_int, &attr)
}

fn set_attributes(dir: i32, path: &str, flags: c_int, attr: &MountAttr) -> Result<()> {
    let path = c_string(path)?;
    syscall!(
        libc::SYS_mount_setattr,
        dir,
        path.as_ptr(),
        flags,
        attr,
        size_of::<MountAttr>()
    )?;
    Ok(())
}

pub fn pivot_root_here() -> Result<()> {
    syscall!(libc::SYS_pivot_root, c".".as_ptr(), c".".as_ptr())?;
    Ok(())
}

pub fn close_range(first: u32, last: u32) {
    if first <= last {
        unsafe { libc::syscall(libc::SYS_close_range, first, last, 0) };
    }
}

pub fn set_close_on_exec(fd: i32, on: bool) -> Result<()> {
    check(unsafe { libc::fcntl(fd, libc::F_SETFD, if on { libc::FD_CLOEXEC } else { 0 }) })?;
    Ok(())
}

pub fn prctl(option: c_int, second: u64, third: u64) -> Result<()> {
    check(unsafe { libc::prctl(option, second, third, 0, 0) })?;
    Ok(())
}

pub fn read(fd: i32, buffer: &mut [u8]) -> Result<usize> {
    loop {
        let count = unsafe { libc::read(fd, buffer.as_mut_ptr().cast(), buffer.len()) };
        match check(count as c_long) {
            Err(failure) if failure.errno == libc::EINTR => {}
            other => return other.map(|count| count as usize),
        }
    }
}

pub fn memfd(name: &str) -> Result<i32> {
    let name = c_string(name)?;
    check_fd(unsafe {
        libc::memfd_create(name.as_ptr(), libc::MFD_CLOEXEC | libc::MFD_ALLOW_SEALING)
    })
}

#[repr(C)]
#[derive(Default)]
struct CloneArgs {
    flags: u64,
    pidfd: u64,
    child_tid: u64,
    parent_tid: u64,
    exit_signal: u64,
    stack: u64,
    stack_size: u64,
    tls: u64,
}

/// A child of our own parent (CLONE_PARENT), with its pidfd; None in the child. Only for a process with one thread.
pub fn clone_sibling() -> Result<Option<(i32, i32)>> {
    let mut pidfd: c_int = -1;
    let arguments = CloneArgs {
        flags: (libc::CLONE_PARENT | libc::CLONE_PIDFD) as u64,
        pidfd: (&raw mut pidfd) as u64,
        // With CLONE_PARENT the signal is the caller's own (clone(2)).
        exit_signal: 0,
        ..CloneArgs::default()
    };
    match syscall!(libc::SYS_clone3, &arguments, size_of::<CloneArgs>())? {
        0 => Ok(None),
        pid => Ok(Some((pid as i32, pidfd))),
    }
}

/// A child, with its pidfd; None in the child. By clone(2): seccomp profiles exist that allow no clone3.
pub fn clone_child() -> Result<Option<(i32, i32)>> {
    let mut pidfd: c_int = -1;
    let flags = (libc::CLONE_PIDFD | libc::SIGCHLD) as u64;
    match syscall!(libc::SYS_clone, flags, 0u64, &raw mut pidfd, 0u64, 0u64)? {
        0 => Ok(None),
        pid => Ok(Some((pid as i32, pidfd))),
    }
}

/// A path that names an open descriptor, for calls that only take paths.
pub fn fd_path(fd: i32) -> String {
    format!("/proc/self/fd/{fd}")
}
