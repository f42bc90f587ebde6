//! tmpcopyup: a new tmpfs begins with what it covers.

use crate::sys::*;
use std::ffi::CStr;

/// Nobody's directories are as deep; a bound for the descriptors that are open at once.
const MAX_DEPTH: u32 = 200;

/// Copies what is in the directory `from` to the directory `to`: files, directories, links and nodes, with owner and mode.
pub fn copy_directory(from: i32, to: i32) -> Result<()> {
    copy(from, to, MAX_DEPTH)
}

fn copy(from: i32, to: i32, depth: u32) -> Result<()> {
    if depth == 0 {
        return fail(libc::ELOOP);
    }
    give(from, to)?;
    for name in names(from)? {
        copy_entry(from, to, &name, depth).or_else(|failure| fail_at(failure.errno, &name))?;
    }
    Ok(())
}

fn copy_entry(from: i32, to: i32, name: &str, depth: u32) -> Result<()> {
    let seen = open_at(from, name, libc::O_PATH | libc::O_NOFOLLOW)?;
    let stat = fstat(seen)?;
    let done = match stat.st_mode & libc::S_IFMT {
        libc::S_IFDIR => {
            mkdirat(to, name, 0o700)?;
            let inner = open_at(from, name, libc::O_DIRECTORY | libc::O_NOFOLLOW)?;
            let made = open_at(to, name, libc::O_DIRECTORY | libc::O_NOFOLLOW)?;
            let done = copy(inner, made, depth - 1);
            close(made);
            close(inner);
            done
        }
        libc::S_IFREG => copy_file(seen, to, name),
        libc::S_IFLNK => symlinkat(&readlinkat(from, name)?, to, name),
        _ => mknodat(to, name, stat.st_mode & libc::S_IFMT, stat.st_rdev),
    };
    done?;
    let made = open_at(to, name, libc::O_PATH | libc::O_NOFOLLOW)?;
    let given = give(seen, made);
    close(made);
    close(seen);
    given
}

fn copy_file(seen: i32, to: i32, name: &str) -> Result<()> {
    // Through the descriptor that was looked at, which is a regular file for sure.
    let source = open(&fd_path(seen), libc::O_RDONLY)?;
    let flags = libc::O_WRONLY | libc::O_CREAT | libc::O_EXCL | libc::O_NOFOLLOW;
    let target = open_at(to, name, flags)?;
    let copied = loop {
        let count = unsafe { libc::sendfile(target, source, std::ptr::null_mut(), 1 << 20) };
        match check(count as i64) {
            Ok(0) => break Ok(()),
            Ok(_) => {}
            Err(failure) => break Err(failure),
        }
    };
    close(target);
    close(source);
    copied
}

/// Owner and mode of one, given to the other.
fn give(from: i32, to: i32) -> Result<()> {
    let stat = fstat(from)?;
    let (uid, gid) = (stat.st_uid, stat.st_gid);
    check(unsafe { libc::fchownat(to, c"".as_ptr(), uid, gid, libc::AT_EMPTY_PATH) })?;
    if stat.st_mode & libc::S_IFMT != libc::S_IFLNK {
        set_mode(to, stat.st_mode & 0o7777)?;
    }
    Ok(())
}

fn open_at(dir: i32, name: &str, flags: i32) -> Result<i32> {
    let name = c_string(name)?;
    check(unsafe { libc::openat(dir, name.as_ptr(), flags | libc::O_CLOEXEC, 0o600) })
        .map(|fd| fd as i32)
}

fn names(dir: i32) -> Result<Vec<String>> {
    // A descriptor of its own: closedir closes it.
    let own = open_at(dir, ".", libc::O_RDONLY | libc::O_DIRECTORY)?;
    // SAFETY: the stream is used here alone, and each entry before the next is read.
    unsafe {
        let stream = libc::fdopendir(own);
        if stream.is_null() {
            return fail(libc::ENOMEM);
        }
        let mut names = Vec::new();
        while let Some(entry) = libc::readdir(stream).as_ref() {
            let name = CStr::from_ptr(entry.d_name.as_ptr()).to_string_lossy();
            if name != "." && name != ".." {
                names.push(name.into_owned());
            }
        }
        libc::closedir(stream);
        Ok(names)
    }
}
