//! What a process is: user, groups, capabilities, limits, working directory.

use crate::sys::*;
use std::ffi::c_long;

/// What exec passes on: `main` has ignored SIGPIPE, and our spawner may have blocked signals. Done before the
/// steps and not in exec, where a seccomp filter may hold already.
pub fn default_signals() {
    // SAFETY: signal() and sigprocmask() with valid arguments.
    unsafe {
        libc::signal(libc::SIGPIPE, libc::SIG_DFL);
        let mut none = std::mem::zeroed();
        libc::sigemptyset(&mut none);
        libc::sigprocmask(libc::SIG_SETMASK, &none, std::ptr::null_mut());
    }
}

pub fn user(uid: u32, gid: u32, groups: Option<&[u32]>, keep_capabilities: bool) -> Result<()> {
    if let Some(groups) = groups {
        check(unsafe { libc::setgroups(groups.len(), groups.as_ptr()) })?;
    }
    check(unsafe { libc::setresgid(gid, gid, gid) })?;
    prctl(libc::PR_SET_KEEPCAPS, keep_capabilities.into(), 0)?;
    check(unsafe { libc::setresuid(uid, uid, uid) })?;
    // A change of user has made us dumpable again.
    prctl(libc::PR_SET_DUMPABLE, 0, 0)
}

/// Drops every capability that is not in `keep`, as far as the kernel knows any.
pub fn bounding(keep: u64) -> Result<()> {
    for capability in 0..64 {
        if keep & (1 << capability) != 0 {
            continue;
        }
        match prctl(libc::PR_CAPBSET_DROP, capability, 0) {
            Err(failure) if failure.errno == libc::EINVAL => return Ok(()),
            other => other?,
        }
    }
    Ok(())
}

#[repr(C)]
struct CapabilityHeader {
    version: u32,
    pid: i32,
}

#[repr(C)]
struct CapabilityData {
    effective: u32,
    permitted: u32,
    inheritable: u32,
}

const LINUX_CAPABILITY_VERSION_3: u32 = 0x2008_0522;

pub fn capabilities(effective: u64, permitted: u64, inheritable: u64, ambient: u64) -> Result<()> {
    let header = CapabilityHeader {
        version: LINUX_CAPABILITY_VERSION_3,
        pid: 0,
    };
    let half = |shift: u32| CapabilityData {
        effective: (effective >> shift) as u32,
        permitted: (permitted >> shift) as u32,
        inheritable: (inheritable >> shift) as u32,
    };
    let data = [half(0), half(32)];
    check(unsafe { libc::syscall(libc::SYS_capset, &header, &data) })?;
    prctl(
        libc::PR_CAP_AMBIENT,
        libc::PR_CAP_AMBIENT_CLEAR_ALL as u64,
        0,
    )?;
    for capability in (0..64).filter(|capability| ambient & (1 << capability) != 0) {
        prctl(
            libc::PR_CAP_AMBIENT,
            libc::PR_CAP_AMBIENT_RAISE as u64,
            capability,
        )?;
    }
    Ok(())
}

pub fn rlimit(resource: u32, soft: i64, hard: i64) -> Result<()> {
    let limit = libc::rlimit {
        rlim_cur: soft as u64,
        rlim_max: hard as u64,
    };
    check(unsafe { libc::setrlimit(resource, &limit) })?;
    Ok(())
}

pub fn raise_rlimit(resource: u32, hard: i64) -> Result<()> {
    let mut limit: libc::rlimit = unsafe { std::mem::zeroed() };
    check(unsafe { libc::getrlimit(resource, &mut limit) })?;
    if limit.rlim_max >= hard as u64 {
        return Ok(());
    }
    limit.rlim_max = hard as u64;
    check(unsafe { libc::setrlimit(resource, &limit) })?;
    Ok(())
}

pub fn parent_death_signal(signal: i32, parent: i32) -> Result<()> {
    prctl(libc::PR_SET_PDEATHSIG, signal as u64, 0)?;
    if unsafe { libc::getppid() } == parent {
        Ok(())
    } else {
        fail(libc::ESRCH)
    }
}

pub fn chdir(path: &str) -> Result<()> {
    let target = c_string(path)?;
    check(unsafe { libc::chdir(target.as_ptr()) })?;
    // The system call, not libc's: it says "(unreachable)" when we are outside of our root (CVE-2024-21626).
    let mut buffer = [0u8; libc::PATH_MAX as usize + 1];
    check(unsafe { libc::syscall(libc::SYS_getcwd, buffer.as_mut_ptr(), buffer.len()) })?;
    if buffer[0] == b'/' {
        Ok(())
    } else {
        fail_at(libc::EXDEV, path)
    }
}

pub fn chown_stdio(uid: u32) -> Result<()> {
    let null = libc::makedev(1, 3);
    for fd in 0..3 {
        let stat = fstat(fd)?;
        let is_null = stat.st_mode & libc::S_IFMT == libc::S_IFCHR && stat.st_rdev == null;
        if is_null || stat.st_uid == uid {
            continue;
        }
        match check(unsafe { libc::fchown(fd, uid, stat.st_gid) }) {
            // Read-only file systems, ids that a user namespace does not map, sockets: as runc, not our business.
            Err(failure) if matches!(failure.errno, libc::EROFS | libc::EPERM | libc::EINVAL) => {}
            other => {
                other?;
            }
        }
    }
    Ok(())
}

pub fn session_keyring(name: &str) -> Result<()> {
    const KEYCTL_JOIN_SESSION_KEYRING: c_long = 1;
    let name = c_string(name)?;
    check(unsafe {
        libc::syscall(
            libc::SYS_keyctl,
            KEYCTL_JOIN_SESSION_KEYRING,
            name.as_ptr(),
            0,
            0,
            0,
        )
    })?;
    Ok(())
}

/// The home directory on the uid's line of /etc/passwd; "/" without one, or without the file.
pub fn home(uid: u32) -> String {
    // Files of containers are not trusted: at most 1 MiB is read.
    const LIMIT: usize = 1 << 20;
    let Ok(fd) = open("/etc/passwd", libc::O_RDONLY | libc::O_NONBLOCK) else {
        return "/".into();
    };
    let mut text = vec![0; LIMIT];
    let mut length = 0;
    while let Ok(count @ 1..) = read(fd, &mut text[length..]) {
        length += count;
    }
    close(fd);
    let text = String::from_utf8_lossy(&text[..length]);
    let line = text.lines().map(|line| line.split(':').collect::<Vec<_>>());
    let mut homes = line.filter(|fields| fields.len() > 5 && fields[2].parse() == Ok(uid));
    match homes.next() {
        Some(fields) if fields[5].starts_with('/') => fields[5].to_string(),
        _ => "/".into(),
    }
}

/// Finds a program as Go's exec.LookPath does, for its errors are what managers look for.
pub fn find_executable(file: &str, path: &str) -> Result<String> {
    if file.contains('/') {
        return executable(file).map(|()| file.to_string());
    }
    for directory in path.split(':') {
        let directory = if directory.is_empty() { "." } else { directory };
        let candidate = format!("{directory}/{file}");
        if executable(&candidate).is_ok() {
            return Ok(candidate);
        }
    }
    fail_at(libc::ENOENT, "$PATH")
}

fn executable(file: &str) -> Result<()> {
    let path = c_string(file)?;
    // Not std's, which calls statx: the container's seccomp filter may hold already, and old profiles lack it.
    let mut stat: libc::stat = unsafe { std::mem::zeroed() };
    check(unsafe { libc::stat(path.as_ptr(), &mut stat) })?;
    if stat.st_mode & libc::S_IFMT == libc::S_IFDIR {
        return fail(libc::EISDIR);
    }
    match check(unsafe {
        libc::faccessat(libc::AT_FDCWD, path.as_ptr(), libc::X_OK, libc::AT_EACCESS)
    }) {
        // Of the container's seccomp filter, whose author knew no faccessat2: exec will tell.
        Err(failure) if failure.errno == libc::EPERM => Ok(()),
        other => other.map(|_| ()),
    }
}

/// Sets IFF_UP on `lo`: netdevice(7).
pub fn loopback_up() -> Result<()> {
    let kind = libc::SOCK_DGRAM | libc::SOCK_CLOEXEC;
    let socket = check(unsafe { libc::socket(libc::AF_INET, kind, 0) })? as i32;
    let mut request: libc::ifreq = unsafe { std::mem::zeroed() };
    request.ifr_name[0] = b'l' as libc::c_char;
    request.ifr_name[1] = b'o' as libc::c_char;
    request.ifr_ifru.ifru_flags = libc::IFF_UP as i16;
    let result = check(unsafe { libc::ioctl(socket, libc::SIOCSIFFLAGS, &request) });
    close(socket);
    result.map(|_| ())
}

/// personality(2); Linux's own domains and flags fit 32 bits.
pub fn personality(persona: u32) -> Result<()> {
    check(unsafe { libc::personality(libc::c_ulong::from(persona)) })?;
    Ok(())
}
