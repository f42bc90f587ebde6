//! Paths inside a root directory: no symbolic link of a container's leads out of it.

use crate::plan::Create;
use crate::sys::*;

/// As many symbolic links as the kernel follows.
const MAX_LINKS: u32 = 40;

/// Opens `path` inside `root`, or as the process sees it without one.
pub fn open_in(root: Option<i32>, path: &str, flags: i32, resolve: u64) -> Result<i32> {
    match root {
        Some(root) => openat2(root, path, flags, RESOLVE_IN_ROOT | resolve),
        None => openat2(libc::AT_FDCWD, path, flags, resolve),
    }
}

/// "/a/b/" is ("/a", "b").
pub fn split(path: &str) -> Result<(&str, &str)> {
    let path = path.trim_end_matches('/');
    let (parent, name) = path.rsplit_once('/').unwrap_or((".", path));
    match name {
        "" | "." | ".." => fail(libc::EINVAL),
        _ => Ok((if parent.is_empty() { "/" } else { parent }, name)),
    }
}

/// Opens a directory (O_PATH), made with its parents when it is not there.
pub fn ensure_directory(root: Option<i32>, path: &str, mode: u32) -> Result<i32> {
    ensure(root, path, Create::Directory, mode, MAX_LINKS)
}

/// Opens a file (O_PATH), made empty, with its parents, when it is not there.
pub fn ensure_file(root: Option<i32>, path: &str) -> Result<i32> {
    ensure(root, path, Create::File, 0o644, MAX_LINKS)
}

fn ensure(root: Option<i32>, path: &str, kind: Create, mode: u32, links: u32) -> Result<i32> {
    match open_in(root, path, libc::O_PATH, 0) {
        Err(failure) if failure.errno == libc::ENOENT => {}
        other => return other,
    }
    let (parent, name) = split(path)?;
    let directory = ensure(root, parent, Create::Directory, 0o755, links)?;
    let made = match kind {
        Create::Directory => mkdirat(directory, name, mode),
        _ => mknodat(directory, name, libc::S_IFREG | mode, 0),
    };
    let opened = match made {
        Ok(()) => openat2(
            directory,
            name,
            libc::O_PATH | libc::O_NOFOLLOW,
            RESOLVE_IN_ROOT,
        ),
        // A link to nothing: what it points at is made, inside the root.
        Err(failure) if failure.errno == libc::EEXIST && links > 0 => readlinkat(directory, name)
            .and_then(|to| {
                let to = match to.starts_with('/') {
                    true => to,
                    false => format!("{parent}/{to}"),
                };
                ensure(root, &to, kind, mode, links - 1)
            }),
        Err(failure) => Err(failure),
    };
    close(directory);
    opened.or_else(|failure| fail_at(failure.errno, path))
}
