//! Mounts: mount(2) and the descriptor-based calls of Linux 5.2 and later.

use crate::error::{Context, Res, check};
use crate::process::c_string;
use crate::table::{ops, wire};

wire! {
    /// mount_setattr(2): MOUNT_ATTR_* to set and to clear, MS_* propagation.
    pub struct MountAttr { pub set: Option<u32>, pub clear: Option<u32>, pub propagation: Option<u32>, pub usernsFd: Option<i32> }
}

ops! {
    sync mount(source: String, target: String, fstype: String, flags: u32, data: String) -> ();
    sync umount(target: String, flags: u32) -> ();
    sync open_tree(dirfd: i32, path: String, flags: u32) -> i32;
    sync move_mount(from_fd: i32, from_path: String, to_fd: i32, to_path: String, flags: u32) -> ();
    sync mount_setattr(dirfd: i32, path: String, flags: u32, attr: MountAttr) -> ();
    sync fsopen(fstype: String, flags: u32) -> i32;
    sync fsconfig_string(fd: i32, key: String, value: String) -> ();
    sync fsconfig_flag(fd: i32, key: String) -> ();
    sync fsconfig_fd(fd: i32, key: String, value: i32) -> ();
    sync fsconfig_create(fd: i32) -> ();
    sync fsmount(fd: i32, flags: u32, attr: u32) -> i32;
    own pivot_root(new_root: String, put_old: String) -> ();
}

fn mount(source: String, target: String, fstype: String, flags: u32, data: String) -> Res<()> {
    let (source, to, fstype, data) = (
        c_string(&source)?,
        c_string(&target)?,
        c_string(&fstype)?,
        c_string(&data)?,
    );
    // SAFETY: the strings and structs outlive the call.
    let call = unsafe {
        libc::mount(
            source.as_ptr(),
            to.as_ptr(),
            fstype.as_ptr(),
            u64::from(flags),
            data.as_ptr().cast(),
        )
    };
    check(call).on("mount", &target)?;
    Ok(())
}

fn umount(target: String, flags: u32) -> Res<()> {
    let path = c_string(&target)?;
    // SAFETY: the strings and structs outlive the call.
    check(unsafe { libc::umount2(path.as_ptr(), flags as i32) }).on("umount", &target)?;
    Ok(())
}

fn open_tree(dirfd: i32, path: String, flags: u32) -> Res<i32> {
    let name = c_string(&path)?;
    Ok(
        // SAFETY: the strings and structs outlive the call.
        check(unsafe { libc::syscall(libc::SYS_open_tree, dirfd, name.as_ptr(), flags) })
            .on("open_tree", &path)? as i32,
    )
}

fn move_mount(from_fd: i32, from_path: String, to_fd: i32, to_path: String, flags: u32) -> Res<()> {
    let (from, to) = (c_string(&from_path)?, c_string(&to_path)?);
    // SAFETY: the strings and structs outlive the call.
    check(unsafe {
        libc::syscall(
            libc::SYS_move_mount,
            from_fd,
            from.as_ptr(),
            to_fd,
            to.as_ptr(),
            flags,
        )
    })
    .on("move_mount", &to_path)?;
    Ok(())
}

fn mount_setattr(dirfd: i32, path: String, flags: u32, attr: MountAttr) -> Res<()> {
    let name = c_string(&path)?;
    // struct mount_attr: attr_set, attr_clr, propagation, userns_fd.
    let attr: [u64; 4] = [
        attr.set.unwrap_or(0).into(),
        attr.clear.unwrap_or(0).into(),
        attr.propagation.unwrap_or(0).into(),
        attr.usernsFd.unwrap_or(0) as u64,
    ];
    let size = size_of_val(&attr);
    // SAFETY: the strings and structs outlive the call.
    check(unsafe {
        libc::syscall(
            libc::SYS_mount_setattr,
            dirfd,
            name.as_ptr(),
            flags,
            &raw const attr,
            size,
        )
    })
    .on("mount_setattr", &path)?;
    Ok(())
}

fn fsopen(fstype: String, flags: u32) -> Res<i32> {
    let name = c_string(&fstype)?;
    Ok(
        // SAFETY: the strings and structs outlive the call.
        check(unsafe { libc::syscall(libc::SYS_fsopen, name.as_ptr(), flags) })
            .on("fsopen", &fstype)? as i32,
    )
}

/// fsconfig(2) commands.
#[derive(Clone, Copy)]
enum Config {
    Flag = 0,
    String = 1,
    Fd = 5,
    Create = 6,
}

fn fsconfig(fd: i32, command: Config, key: Option<&str>, value: Option<&str>, aux: i32) -> Res<()> {
    let (name, text) = (
        key.map(c_string).transpose()?,
        value.map(c_string).transpose()?,
    );
    let at = |text: &Option<std::ffi::CString>| {
        text.as_ref().map_or(std::ptr::null(), |text| text.as_ptr())
    };
    // SAFETY: the strings and structs outlive the call.
    check(unsafe {
        libc::syscall(
            libc::SYS_fsconfig,
            fd,
            command as u32,
            at(&name),
            at(&text),
            aux,
        )
    })
    .on("fsconfig", key.unwrap_or("create"))?;
    Ok(())
}

fn fsconfig_string(fd: i32, key: String, value: String) -> Res<()> {
    fsconfig(fd, Config::String, Some(&key), Some(&value), 0)
}

fn fsconfig_flag(fd: i32, key: String) -> Res<()> {
    fsconfig(fd, Config::Flag, Some(&key), None, 0)
}

fn fsconfig_fd(fd: i32, key: String, value: i32) -> Res<()> {
    fsconfig(fd, Config::Fd, Some(&key), None, value)
}

fn fsconfig_create(fd: i32) -> Res<()> {
    fsconfig(fd, Config::Create, None, None, 0)
}

fn fsmount(fd: i32, flags: u32, attr: u32) -> Res<i32> {
    // SAFETY: the strings and structs outlive the call.
    Ok(check(unsafe { libc::syscall(libc::SYS_fsmount, fd, flags, attr) }).call("fsmount")? as i32)
}

fn pivot_root(new_root: String, put_old: String) -> Res<()> {
    let (new, old) = (c_string(&new_root)?, c_string(&put_old)?);
    // SAFETY: the strings and structs outlive the call.
    check(unsafe { libc::syscall(libc::SYS_pivot_root, new.as_ptr(), old.as_ptr()) })
        .on("pivot_root", &new_root)?;
    Ok(())
}
