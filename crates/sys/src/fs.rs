//! Files: synchronous, for local ones answer at once.

use crate::error::{Context, OpError, Res, check};
use crate::process::c_string;
use crate::reactor;
use crate::spare::room;
use crate::table::{ops, wire};
use crate::value::Bytes;
use rustix::fs::{AtFlags, FileType, Mode, OFlags};
use rustix::io::Errno;
use std::os::fd::{AsFd, BorrowedFd, IntoRawFd, OwnedFd};

wire! {
    /// type: "file" | "dir" | "symlink" | "fifo" | "socket" | "char" | "block" | "unknown"
    pub struct Dirent { pub name: String, pub r#type: String }
    pub struct Stat {
        pub dev: u64, pub ino: u64, pub mode: u32, pub nlink: u64, pub uid: u32, pub gid: u32,
        pub rdev: u64, pub size: i64, pub mtimeMs: f64, pub ctimeMs: f64, pub blocks: i64,
    }
    pub struct StatFs { pub r#type: i64, pub bsize: i64, pub blocks: u64, pub bavail: u64 }
    pub struct OpenHow { pub flags: u32, pub mode: Option<u32>, pub resolve: Option<u32> }
}

ops! {
    /// O_CLOEXEC is added.
    sync open(path: String, flags: i32, mode: u32) -> i32;
    /// O_CLOEXEC is added.
    sync openat2(dirfd: i32, path: String, how: OpenHow) -> i32;
    /// Ends pending async ops on it with ECANCELED.
    sync close(fd: i32) -> ();
    sync dup(fd: i32) -> i32;
    /// `to` is not close-on-exec.
    sync dup2(from: i32, to: i32) -> ();
    sync set_cloexec(fd: i32, on: bool) -> ();
    sync set_nonblock(fd: i32, on: bool) -> ();
    sync pread(fd: i32, len: u32, offset: u64) -> Bytes;
    /// SHA-512 of the whole file, wherever its offset is.
    sync sha512_file(fd: i32) -> Bytes;
    /// All bytes unless the disk is full in between; returns how many.
    sync pwrite(fd: i32, bytes: Bytes, offset: u64) -> u32;
    /// Whole file; EFBIG past maxBytes. Reads until its end (works on /proc).
    sync read_file(path: String, max_bytes: u64) -> Bytes;
    /// Whole files of one directory, a control group's: as text (wrong UTF-8 becomes U+FFFD), "" for one that the kernel has not there
    /// or does not answer by (ENOENT, ENODEV, EOPNOTSUPP); EFBIG past maxBytes.
    sync read_texts(directory: String, names: Vec<String>, max_bytes: u64) -> Vec<String>;
    /// open(flags|O_WRONLY|O_CLOEXEC), write all, close.
    sync write_file(path: String, bytes: Bytes, flags: i32, mode: u32) -> ();
    /// Writes everything to fd synchronously (log lines, files).
    sync write_sync(fd: i32, bytes: Bytes) -> ();
    /// One read; empty = end of file.
    sync read_sync(fd: i32, max: u32) -> Bytes;
    sync fsync(fd: i32) -> ();
    sync ftruncate(fd: i32, size: u64) -> ();
    sync lseek(fd: i32, offset: i64, whence: i32) -> i64;
    /// flock(2); with LOCK_NB throws EAGAIN.
    sync flock(fd: i32, operation: i32) -> ();
    sync mkdir(path: String, mode: u32) -> ();
    sync mkdirat(dirfd: i32, path: String, mode: u32) -> ();
    sync rmdir(path: String) -> ();
    sync unlink(path: String) -> ();
    sync unlinkat(dirfd: i32, path: String, flags: u32) -> ();
    sync rename(from: String, to: String) -> ();
    sync symlink(target: String, path: String) -> ();
    sync readlink(path: String) -> String;
    sync mknod(path: String, mode: u32, major: u32, minor: u32) -> ();
    sync chmod(path: String, mode: u32) -> ();
    sync fchmod(fd: i32, mode: u32) -> ();
    /// lchown(2)
    sync chown(path: String, uid: u32, gid: u32) -> ();
    sync fchown(fd: i32, uid: u32, gid: u32) -> ();
    sync stat(path: String) -> Stat;
    /// As stat, but undefined where nothing is: ENOENT, ENOTDIR.
    sync stat_if_there(path: String) -> Option<Stat>;
    sync fstat(fd: i32) -> Stat;
    sync access(path: String, mode: i32) -> ();
    sync statfs(path: String) -> StatFs;
    sync readdir(path: String) -> Vec<Dirent>;
    sync readdir_fd(fd: i32) -> Vec<Dirent>;
    sync memfd(name: String, allow_sealing: bool) -> i32;
    sync add_seals(fd: i32, seals: i32) -> ();
    /// In-kernel copy of len bytes (copy_file_range, sendfile) from one file to another; returns the bytes copied.
    sync copy_file(from: i32, to: i32, len: u64) -> u64;
    /// Writes the pages (4 KiB) of a file that are not zero to the same places of another, which has zeroes there: holes stay holes.
    /// Returns the bytes written.
    sync copy_pages(from: i32, to: i32) -> u64;
}

/// A descriptor of the caller's, for the time of one call.
fn fd(fd: &i32) -> Res<BorrowedFd<'_>> {
    if *fd < 0 {
        return Err(OpError::new(libc::EBADF, "op"));
    }
    // SAFETY: not -1; a wrong number is the kernel's EBADF.
    Ok(unsafe { BorrowedFd::borrow_raw(*fd) })
}

/// As [`fd`], or AT_FDCWD.
fn dir(dirfd: &i32) -> Res<BorrowedFd<'_>> {
    if *dirfd == libc::AT_FDCWD {
        Ok(rustix::fs::CWD)
    } else {
        fd(dirfd)
    }
}

fn open_owned(path: &str, flags: i32, mode: u32) -> Res<OwnedFd> {
    let flags = OFlags::from_bits_retain(flags as u32) | OFlags::CLOEXEC;
    retried(|| rustix::fs::open(path, flags, Mode::from_raw_mode(mode))).on("open", path)
}

/// Again after a signal has interrupted it.
fn retried<T>(mut call: impl FnMut() -> Result<T, Errno>) -> Result<T, Errno> {
    loop {
        match call() {
            Err(Errno::INTR) => {}
            result => return result,
        }
    }
}

fn open(path: String, flags: i32, mode: u32) -> Res<i32> {
    open_owned(&path, flags, mode).map(IntoRawFd::into_raw_fd)
}

fn openat2(dirfd: i32, path: String, how: OpenHow) -> Res<i32> {
    let name = c_string(&path)?;
    // struct open_how: flags, mode, resolve.
    let how: [u64; 3] = [
        u64::from(how.flags) | libc::O_CLOEXEC as u64,
        how.mode.unwrap_or(0).into(),
        how.resolve.unwrap_or(0).into(),
    ];
    let size = size_of_val(&how);
    let call = || {
        // SAFETY: both pointers outlive the call.
        check(unsafe {
            libc::syscall(
                libc::SYS_openat2,
                dirfd,
                name.as_ptr(),
                &raw const how,
                size,
            )
        })
    };
    Ok(retried(call).on("openat2", &path)? as i32)
}

fn close(fd: i32) -> Res<()> {
    reactor::forget(fd);
    // SAFETY: the descriptor is the script's to close; a wrong number is EBADF.
    check(unsafe { libc::close(fd) }).call("close")?;
    Ok(())
}

fn dup(fd: i32) -> Res<i32> {
    // SAFETY: no pointer.
    Ok(check(unsafe { libc::fcntl(fd, libc::F_DUPFD_CLOEXEC, 3) }).call("dup")? as i32)
}

fn dup2(from: i32, to: i32) -> Res<()> {
    if from != to {
        reactor::forget(to);
    }
    // SAFETY: no pointer.
    check(unsafe { libc::dup2(from, to) }).call("dup2")?;
    Ok(())
}

fn set_cloexec(fd: i32, on: bool) -> Res<()> {
    // SAFETY: no pointer.
    check(unsafe { libc::fcntl(fd, libc::F_SETFD, if on { libc::FD_CLOEXEC } else { 0 }) })
        .call("fcntl")?;
    Ok(())
}

fn set_nonblock(fd: i32, on: bool) -> Res<()> {
    // SAFETY: no pointer.
    let flags = check(unsafe { libc::fcntl(fd, libc::F_GETFL) }).call("fcntl")? as i32;
    let flags = if on {
        flags | libc::O_NONBLOCK
    } else {
        flags & !libc::O_NONBLOCK
    };
    // SAFETY: no pointer.
    check(unsafe { libc::fcntl(fd, libc::F_SETFL, flags) }).call("fcntl")?;
    reactor::reconsider(fd);
    Ok(())
}

fn pread(number: i32, len: u32, offset: u64) -> Res<Bytes> {
    let mut buffer = room(len as usize).call("pread")?;
    while buffer.len() < len as usize {
        let at = offset + buffer.len() as u64;
        let spare = rustix::buffer::spare_capacity(&mut buffer);
        if rustix::io::pread(fd(&number)?, spare, at).call("pread")? == 0 {
            break;
        }
    }
    Ok(Bytes(buffer))
}

fn sha512_file(number: i32) -> Res<Bytes> {
    use sha2::Digest;
    const CHUNK: usize = 256 << 10;
    let mut hash = sha2::Sha512::new();
    let mut buffer = crate::spare::zeros(CHUNK).call("pread")?;
    let mut at = 0;
    loop {
        let count = rustix::io::pread(fd(&number)?, &mut buffer[..], at).call("pread")?;
        if count == 0 {
            return Ok(Bytes(hash.finalize().to_vec()));
        }
        hash.update(&buffer[..count]);
        at += count as u64;
    }
}

fn pwrite(number: i32, bytes: Bytes, offset: u64) -> Res<u32> {
    let mut written = 0;
    while written < bytes.0.len() {
        let at = offset + written as u64;
        match retried(|| {
            rustix::io::pwrite(
                fd(&number).map_err(|_| Errno::BADF)?,
                &bytes.0[written..],
                at,
            )
        }) {
            Ok(count) => written += count,
            Err(errno) if written == 0 => return Err(errno).call("pwrite"),
            Err(_) => break,
        }
    }
    Ok(written as u32)
}

fn read_to_end(file: &OwnedFd, path: &str, max: u64) -> Res<Vec<u8>> {
    let mut buffer = Vec::new();
    let size = rustix::fs::fstat(file).on("fstat", path)?.st_size.max(0) as u64;
    loop {
        if buffer.len() as u64 > max {
            return Err(Errno::FBIG).on("read", path);
        }
        if buffer.len() == buffer.capacity() {
            // The size plus one byte, in which the end shows; files of /proc say 0.
            let more = (size.min(max) as usize + 1).saturating_sub(buffer.len());
            let grown = buffer.try_reserve(more.max(4096));
            grown.map_err(|_| Errno::NOMEM).on("read", path)?;
        }
        if rustix::io::read(file, rustix::buffer::spare_capacity(&mut buffer)).on("read", path)?
            == 0
        {
            return Ok(buffer);
        }
    }
}

pub(crate) fn read_to_string(path: &str) -> Res<String> {
    let bytes = read_file(path.to_owned(), 1 << 20)?;
    Ok(String::from_utf8_lossy(&bytes.0).into_owned())
}

fn read_file(path: String, max_bytes: u64) -> Res<Bytes> {
    let file = open_owned(&path, libc::O_RDONLY, 0)?;
    read_to_end(&file, &path, max_bytes).map(Bytes)
}

/// A group without the controller, or of a type that has the file for show.
const NOT_THERE: [i32; 3] = [libc::ENOENT, libc::ENODEV, libc::EOPNOTSUPP];

fn read_texts(directory: String, names: Vec<String>, max_bytes: u64) -> Res<Vec<String>> {
    let flags = OFlags::PATH | OFlags::DIRECTORY;
    let parent = match open_owned(&directory, flags.bits() as i32, 0) {
        Err(error) if error.errno == libc::ENOENT => return Ok(vec![String::new(); names.len()]),
        opened => opened?,
    };
    let text = |name: &String| {
        let path = format!("{directory}/{name}");
        let flags = OFlags::RDONLY | OFlags::CLOEXEC;
        let read = retried(|| rustix::fs::openat(&parent, name.as_str(), flags, Mode::empty()))
            .on("open", &path)
            .and_then(|file| read_to_end(&file, &path, max_bytes));
        match read {
            Ok(bytes) => Ok(String::from_utf8_lossy(&bytes).into_owned()),
            Err(error) if NOT_THERE.contains(&error.errno) => Ok(String::new()),
            Err(error) => Err(error),
        }
    };
    names.iter().map(text).collect()
}

fn write_all(file: BorrowedFd<'_>, mut bytes: &[u8]) -> Result<(), Errno> {
    while !bytes.is_empty() {
        match retried(|| rustix::io::write(file, bytes)) {
            Ok(count) => bytes = &bytes[count..],
            Err(Errno::AGAIN) => wait_writable(file),
            Err(errno) => return Err(errno),
        }
    }
    Ok(())
}

/// Synchronous writes wait, whatever the descriptor's O_NONBLOCK.
fn wait_writable(file: BorrowedFd<'_>) {
    let mut poll = [rustix::event::PollFd::new(
        &file,
        rustix::event::PollFlags::OUT,
    )];
    let _ = rustix::event::poll(&mut poll, None);
}

fn write_file(path: String, bytes: Bytes, flags: i32, mode: u32) -> Res<()> {
    let file = open_owned(&path, flags | libc::O_WRONLY, mode)?;
    if bytes.0.is_empty() && flags & libc::O_TRUNC == 0 {
        // A control file (/proc, cgroup) may want the empty write itself.
        rustix::io::write(&file, &[]).on("write", &path)?;
    }
    write_all(file.as_fd(), &bytes.0).on("write", &path)
}

fn write_sync(number: i32, bytes: Bytes) -> Res<()> {
    write_all(fd(&number)?, &bytes.0).call("write")
}

fn read_sync(number: i32, max: u32) -> Res<Bytes> {
    let mut buffer = room(max as usize).call("read")?;
    rustix::io::read(fd(&number)?, rustix::buffer::spare_capacity(&mut buffer)).call("read")?;
    Ok(Bytes(buffer))
}

fn fsync(number: i32) -> Res<()> {
    rustix::fs::fsync(fd(&number)?).call("fsync")
}

fn ftruncate(number: i32, size: u64) -> Res<()> {
    rustix::fs::ftruncate(fd(&number)?, size).call("ftruncate")
}

fn lseek(number: i32, offset: i64, whence: i32) -> Res<i64> {
    // SAFETY: no pointer.
    check(unsafe { libc::lseek(number, offset, whence) }).call("lseek")
}

fn flock(number: i32, operation: i32) -> Res<()> {
    // SAFETY: no pointer.
    retried(|| check(unsafe { libc::flock(number, operation) })).call("flock")?;
    Ok(())
}

fn mkdir(path: String, mode: u32) -> Res<()> {
    rustix::fs::mkdir(&*path, Mode::from_raw_mode(mode)).on("mkdir", &path)
}

fn mkdirat(dirfd: i32, path: String, mode: u32) -> Res<()> {
    rustix::fs::mkdirat(dir(&dirfd)?, &*path, Mode::from_raw_mode(mode)).on("mkdirat", &path)
}

fn rmdir(path: String) -> Res<()> {
    rustix::fs::rmdir(&*path).on("rmdir", &path)
}

fn unlink(path: String) -> Res<()> {
    rustix::fs::unlink(&*path).on("unlink", &path)
}

fn unlinkat(dirfd: i32, path: String, flags: u32) -> Res<()> {
    rustix::fs::unlinkat(dir(&dirfd)?, &*path, AtFlags::from_bits_retain(flags))
        .on("unlinkat", &path)
}

fn rename(from: String, to: String) -> Res<()> {
    rustix::fs::rename(&*from, &*to).on("rename", &format!("{from} to {to}"))
}

fn symlink(target: String, path: String) -> Res<()> {
    rustix::fs::symlink(&*target, &*path).on("symlink", &path)
}

fn readlink(path: String) -> Res<String> {
    let target = rustix::fs::readlink(&*path, Vec::new()).on("readlink", &path)?;
    Ok(target.to_string_lossy().into_owned())
}

fn mknod(path: String, mode: u32, major: u32, minor: u32) -> Res<()> {
    let device = rustix::fs::makedev(major, minor);
    let kind = FileType::from_raw_mode(mode);
    rustix::fs::mknodat(
        rustix::fs::CWD,
        &*path,
        kind,
        Mode::from_raw_mode(mode),
        device,
    )
    .on("mknod", &path)
}

fn chmod(path: String, mode: u32) -> Res<()> {
    rustix::fs::chmod(&*path, Mode::from_raw_mode(mode)).on("chmod", &path)
}

fn fchmod(number: i32, mode: u32) -> Res<()> {
    rustix::fs::fchmod(fd(&number)?, Mode::from_raw_mode(mode)).call("fchmod")
}

fn chown(path: String, uid: u32, gid: u32) -> Res<()> {
    let name = c_string(&path)?;
    // SAFETY: the path outlives the call.
    check(unsafe { libc::lchown(name.as_ptr(), uid, gid) }).on("chown", &path)?;
    Ok(())
}

fn fchown(number: i32, uid: u32, gid: u32) -> Res<()> {
    // SAFETY: no pointer.
    check(unsafe { libc::fchown(number, uid, gid) }).call("fchown")?;
    Ok(())
}

#[allow(clippy::unnecessary_cast)] // the fields' widths differ between architectures
fn stat_of(stat: &rustix::fs::Stat) -> Stat {
    Stat {
        dev: stat.st_dev,
        ino: stat.st_ino,
        mode: stat.st_mode,
        nlink: stat.st_nlink as u64,
        uid: stat.st_uid,
        gid: stat.st_gid,
        rdev: stat.st_rdev,
        size: stat.st_size,
        mtimeMs: stat.st_mtime as f64 * 1e3 + stat.st_mtime_nsec as f64 / 1e6,
        ctimeMs: stat.st_ctime as f64 * 1e3 + stat.st_ctime_nsec as f64 / 1e6,
        blocks: stat.st_blocks as i64,
    }
}

fn stat(path: String) -> Res<Stat> {
    rustix::fs::stat(&*path)
        .on("stat", &path)
        .map(|stat| stat_of(&stat))
}

fn stat_if_there(path: String) -> Res<Option<Stat>> {
    match rustix::fs::stat(&*path) {
        Err(Errno::NOENT | Errno::NOTDIR) => Ok(None),
        stat => stat.on("stat", &path).map(|stat| Some(stat_of(&stat))),
    }
}

fn fstat(number: i32) -> Res<Stat> {
    rustix::fs::fstat(fd(&number)?)
        .call("fstat")
        .map(|stat| stat_of(&stat))
}

fn access(path: String, mode: i32) -> Res<()> {
    let name = c_string(&path)?;
    // SAFETY: the path outlives the call.
    check(unsafe { libc::faccessat(libc::AT_FDCWD, name.as_ptr(), mode, libc::AT_EACCESS) })
        .on("access", &path)?;
    Ok(())
}

#[allow(clippy::unnecessary_cast)] // the fields' widths differ between architectures
fn statfs(path: String) -> Res<StatFs> {
    let stat = rustix::fs::statfs(&*path).on("statfs", &path)?;
    Ok(StatFs {
        r#type: stat.f_type as i64,
        bsize: stat.f_bsize as i64,
        blocks: stat.f_blocks,
        bavail: stat.f_bavail,
    })
}

fn entries(directory: rustix::fs::Dir, path: &str) -> Res<Vec<Dirent>> {
    let mut entries = Vec::new();
    for entry in directory {
        let entry = entry.on("getdents64", path)?;
        let name = entry.file_name().to_string_lossy();
        if name != "." && name != ".." {
            entries.push(Dirent {
                name: name.into_owned(),
                r#type: type_name(entry.file_type()).into(),
            });
        }
    }
    Ok(entries)
}

fn type_name(of: FileType) -> &'static str {
    match of {
        FileType::RegularFile => "file",
        FileType::Directory => "dir",
        FileType::Symlink => "symlink",
        FileType::Fifo => "fifo",
        FileType::Socket => "socket",
        FileType::CharacterDevice => "char",
        FileType::BlockDevice => "block",
        FileType::Unknown => "unknown",
    }
}

fn readdir(path: String) -> Res<Vec<Dirent>> {
    let directory = open_owned(&path, libc::O_RDONLY | libc::O_DIRECTORY, 0)?;
    entries(rustix::fs::Dir::new(directory).on("readdir", &path)?, &path)
}

fn readdir_fd(number: i32) -> Res<Vec<Dirent>> {
    // Opens it anew, so that neither call disturbs the other's position.
    entries(
        rustix::fs::Dir::read_from(fd(&number)?).call("readdir")?,
        "",
    )
}

fn memfd(name: String, allow_sealing: bool) -> Res<i32> {
    let sealing = if allow_sealing {
        libc::MFD_ALLOW_SEALING
    } else {
        0
    };
    let label = c_string(&name)?;
    // SAFETY: the name outlives the call.
    let made = check(unsafe { libc::memfd_create(label.as_ptr(), libc::MFD_CLOEXEC | sealing) });
    Ok(made.on("memfd_create", &name)? as i32)
}

fn add_seals(number: i32, seals: i32) -> Res<()> {
    // SAFETY: no pointer.
    check(unsafe { libc::fcntl(number, libc::F_ADD_SEALS, seals) }).call("fcntl")?;
    Ok(())
}

fn copy_file(from: i32, to: i32, len: u64) -> Res<u64> {
    const MOST: u64 = 1 << 30;
    let mut copied = 0;
    let mut in_kernel = true;
    while copied < len {
        let want = (len - copied).min(MOST) as usize;
        let (source, target) = (fd(&from)?, fd(&to)?);
        let count = if in_kernel {
            retried(|| rustix::fs::copy_file_range(source, None, target, None, want))
        } else {
            retried(|| rustix::fs::sendfile(target, source, None, want))
        };
        match count {
            Ok(0) => break,
            Ok(count) => copied += count as u64,
            // Different file systems, or one that cannot.
            Err(Errno::XDEV | Errno::INVAL | Errno::NOSYS | Errno::OPNOTSUPP) if in_kernel => {
                in_kernel = false
            }
            Err(errno) => {
                return Err(errno).call(if in_kernel {
                    "copy_file_range"
                } else {
                    "sendfile"
                });
            }
        }
    }
    Ok(copied)
}

const PAGE: usize = 4096;

fn copy_pages(from: i32, to: i32) -> Res<u64> {
    // Still in the processor's cache when it is written.
    const CHUNK: usize = 64 * PAGE;
    let mut buffer = crate::spare::zeros(CHUNK).call("pread")?;
    let (source, target) = (fd(&from)?, fd(&to)?);
    let mut written = 0;
    let mut at = 0;
    // ENXIO of lseek(2): there is no data from here on.
    while let Some(start) = data_from(source, at)? {
        at = start / PAGE as u64 * PAGE as u64;
        let read = retried(|| rustix::io::pread(source, &mut buffer[..], at)).call("pread")?;
        if read == 0 {
            break;
        }
        for run in runs_of_data(&buffer[..read]) {
            write_at(target, &buffer[run.clone()], at + run.start as u64)?;
            written += run.len() as u64;
        }
        at += read as u64;
    }
    Ok(written)
}

fn data_from(file: BorrowedFd<'_>, at: u64) -> Res<Option<u64>> {
    match rustix::fs::seek(file, rustix::fs::SeekFrom::Data(at)) {
        Err(Errno::NXIO) => Ok(None),
        start => start.call("lseek").map(Some),
    }
}

/// Where pages that are not zero stand one after another.
fn runs_of_data(bytes: &[u8]) -> Vec<std::ops::Range<usize>> {
    let mut runs: Vec<std::ops::Range<usize>> = Vec::new();
    for (index, page) in bytes.chunks(PAGE).enumerate() {
        // A comparison with itself, shifted: one memcmp, which ends at the first difference.
        if page[0] == 0 && page[1..] == page[..page.len() - 1] {
            continue;
        }
        let start = index * PAGE;
        match runs.last_mut() {
            Some(run) if run.end == start => run.end = start + page.len(),
            _ => runs.push(start..start + page.len()),
        }
    }
    runs
}

fn write_at(file: BorrowedFd<'_>, mut bytes: &[u8], mut at: u64) -> Res<()> {
    while !bytes.is_empty() {
        let count = retried(|| rustix::io::pwrite(file, bytes, at)).call("pwrite")?;
        bytes = &bytes[count..];
        at += count as u64;
    }
    Ok(())
}
