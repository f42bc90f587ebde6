//! Mounts, by descriptor.

use crate::copy_up;
use crate::launch::Launch;
use crate::paths::{ensure_directory, ensure_file, open_in};
use crate::plan::{Bind, Create, Mount, Target};
use crate::sys::*;

const AT_EMPTY_PATH: i32 = libc::AT_EMPTY_PATH;
const AT_RECURSIVE: i32 = 0x8000;

impl Launch {
    /// Opens a mount's target, made if the plan says so; `like` is the source of a bind.
    fn open_target(&self, target: &Target, like: Option<i32>) -> Result<i32> {
        let root = target.root.as_ref().map(|root| self.fd(root)).transpose()?;
        let resolve = if target.no_symlinks {
            RESOLVE_NO_SYMLINKS
        } else {
            0
        };
        match open_in(root, &target.target, libc::O_PATH, resolve) {
            Err(failure) if failure.errno == libc::ENOENT => {}
            other => return other.and_then(|fd| allowed(target, fd)),
        }
        let create = match (target.create, like) {
            (None, _) => return fail_at(libc::ENOENT, &target.target),
            (Some(Create::LikeSource), Some(fd)) if !is_directory(fd)? => Create::File,
            (Some(Create::LikeSource), _) => Create::Directory,
            (Some(create), _) => create,
        };
        close(match create {
            Create::Directory => ensure_directory(root, &target.target, 0o755)?,
            _ => ensure_file(root, &target.target)?,
        });
        open_in(root, &target.target, libc::O_PATH, resolve).and_then(|fd| allowed(target, fd))
    }

    fn is_there(&self, target: &Target) -> Result<bool> {
        let root = target.root.as_ref().map(|root| self.fd(root)).transpose()?;
        match open_in(root, &target.target, libc::O_PATH, 0) {
            Ok(fd) => {
                close(fd);
                Ok(true)
            }
            Err(failure) if failure.errno == libc::ENOENT => Ok(false),
            Err(failure) => Err(failure),
        }
    }

    pub fn mount(&self, step: &Mount) -> Result<()> {
        let covers = (step.keep_mode || step.copy_up) && self.is_there(&step.target)?;
        let target = self.open_target(&step.target, None)?;
        let data = match covers && step.keep_mode {
            true => with_mode(&step.data, fstat(target)?.st_mode & 0o7777),
            false => step.data.clone(),
        };
        mount(
            Some(&step.source),
            &fd_path(target),
            Some(&step.fstype),
            step.flags,
            &data,
        )?;
        // A directory that was made for the mount has nothing to give, its mode least of all.
        let copy_up = step.copy_up && covers;
        if copy_up || step.propagation.is_some() {
            let mounted = mounted_on(target)?;
            if copy_up {
                // The target's directory was removed meanwhile by who shares the file system: nothing is written to it.
                if fstat(mounted)?.st_dev == fstat(target)?.st_dev {
                    return fail_at(libc::EXDEV, "the new mount is not there");
                }
                copy_up::copy_directory(target, mounted)?;
            }
            if let Some(propagation) = step.propagation {
                mount(None, &fd_path(mounted), None, propagation, "")?;
            }
            close(mounted);
        }
        close(target);
        Ok(())
    }

    pub fn bind(&mut self, step: &Bind) -> Result<()> {
        let tree = self.open_source(step)?;
        if step.set | step.clear != 0 {
            mount_setattr(tree, "", AT_EMPTY_PATH, step.set, step.clear, 0)?;
        }
        if step.set_recursive | step.clear_recursive != 0 {
            mount_setattr(
                tree,
                "",
                AT_EMPTY_PATH | AT_RECURSIVE,
                step.set_recursive,
                step.clear_recursive,
                0,
            )?;
        }
        if step
            .source_on
            .is_some_and(|wanted| !matches!(file_system(tree), Ok(found) if found == wanted))
        {
            return fail_at(libc::EPERM, "the source is on another file system");
        }
        let target = self.open_target(&step.target, Some(tree))?;
        if is_directory(tree)? != is_directory(target)? {
            return fail_at(libc::ENOTDIR, &step.target.target);
        }
        move_mount(tree, target)?;
        close(target);
        if let Some(propagation) = step.propagation {
            mount(None, &fd_path(tree), None, propagation, "")?;
        }
        match &step.name {
            Some(name) => self.name(name, tree),
            None => close(tree),
        }
        Ok(())
    }

    fn open_source(&self, step: &Bind) -> Result<i32> {
        if let Some(tree) = &step.tree {
            return self.fd(tree);
        }
        let source = step.source.as_deref().unwrap_or_default();
        let recursive = if step.recursive {
            AT_RECURSIVE as u32
        } else {
            0
        };
        let clone = libc::OPEN_TREE_CLONE | recursive;
        let Some(root) = &step.source_root else {
            return open_tree(libc::AT_FDCWD, source, clone)
                .or_else(|failure| fail_at(failure.errno, source));
        };
        let inside = open_in(Some(self.fd(root)?), source, libc::O_PATH, 0)?;
        let tree = open_tree(inside, "", clone | AT_EMPTY_PATH as u32);
        close(inside);
        tree
    }

    pub fn mask(&self, root: i32, path: &str) -> Result<()> {
        let target = open_in(Some(root), path, libc::O_PATH, 0)?;
        if is_directory(target)? {
            let flags = libc::MS_RDONLY | libc::MS_NOSUID | libc::MS_NODEV | libc::MS_NOEXEC;
            mount(Some("tmpfs"), &fd_path(target), Some("tmpfs"), flags, "")?;
        } else {
            let null = host_null()?;
            move_mount(null, target)?;
            close(null);
        }
        close(target);
        Ok(())
    }

    pub fn pivot_root(&self, root: i32) -> Result<()> {
        let old = open("/", libc::O_PATH | libc::O_DIRECTORY)?;
        check(unsafe { libc::fchdir(root) })?;
        pivot_root_here()?;
        // The old root lies on top of the new one now; a slave, so that detaching it is not seen on the host.
        check(unsafe { libc::fchdir(old) })?;
        mount(None, ".", None, libc::MS_SLAVE | libc::MS_REC, "")?;
        check(unsafe { libc::umount2(c".".as_ptr(), libc::MNT_DETACH) })?;
        check(unsafe { libc::chdir(c"/".as_ptr()) })?;
        close(old);
        Ok(())
    }

    pub fn move_root(&self, root: i32) -> Result<()> {
        check(unsafe { libc::fchdir(root) })?;
        mount(Some("."), "/", None, libc::MS_MOVE, "")?;
        chroot(root)
    }

    /// Walks up from `path` to the mount that holds it: only a mount's root can be made private.
    pub fn private_parent(&self, path: &str) -> Result<()> {
        let mut path = path;
        loop {
            match mount(None, path, None, libc::MS_PRIVATE, "") {
                Err(failure) if failure.errno == libc::EINVAL && path != "/" => {
                    path = match path.rfind('/') {
                        Some(0) | None => "/",
                        Some(end) => &path[..end],
                    };
                }
                other => return other,
            }
        }
    }
}

pub fn chroot(root: i32) -> Result<()> {
    check(unsafe { libc::fchdir(root) })?;
    check(unsafe { libc::chroot(c".".as_ptr()) })?;
    check(unsafe { libc::chdir(c"/".as_ptr()) })?;
    Ok(())
}

/// Opens what is mounted on a directory that is open. Not by its path again, where a container that shares the file system may have
/// put a link to somewhere else meanwhile: above a root is the root, with what is mounted on it.
fn mounted_on(directory: i32) -> Result<i32> {
    open_in(Some(directory), "..", libc::O_PATH | libc::O_DIRECTORY, 0)
}

/// A file system's data with the mode of its root.
fn with_mode(data: &str, mode: u32) -> String {
    match data {
        "" => format!("mode={mode:o}"),
        _ => format!("{data},mode={mode:o}"),
    }
}

fn allowed(target: &Target, fd: i32) -> Result<i32> {
    match target.not_on {
        Some(refused) if file_system(fd)? == refused => fail_at(
            libc::EPERM,
            "resolves to a file system that nothing may be mounted on",
        ),
        _ => Ok(fd),
    }
}

/// The host's /dev/null: the container's could be anything (CVE-2025-31133). Missing or false, it is ENXIO, never ENOENT, which a
/// step may take as "nothing to mask".
fn host_null() -> Result<i32> {
    let null = open_tree(libc::AT_FDCWD, "/dev/null", libc::OPEN_TREE_CLONE);
    match null {
        Ok(fd) if is_device(&fstat(fd)?, 1, 3) => Ok(fd),
        _ => fail_at(libc::ENXIO, "the host's /dev/null"),
    }
}

pub fn remount(path: &str, set: u64, clear: u64) -> Result<()> {
    mount_setattr(libc::AT_FDCWD, path, 0, set, clear, 0)
}

fn is_directory(fd: i32) -> Result<bool> {
    Ok(fstat(fd)?.st_mode & libc::S_IFMT == libc::S_IFDIR)
}
