//! New file systems as mounts that are attached nowhere yet.

use crate::plan::Fsmount;
use crate::sys::*;

/// Of the namespaces that this process is in, or, for the pid namespace, that its children are in.
pub fn make(step: &Fsmount) -> Result<i32> {
    let context = match step.in_child {
        true => open_in_child(&step.fstype)?,
        false => fsopen(&step.fstype)?,
    };
    let mount = configure(context, step).and_then(|()| fsmount(context, step.attributes));
    close(context);
    mount
}

fn configure(context: i32, step: &Fsmount) -> Result<()> {
    fsconfig_string(context, "source", &step.source)?;
    for option in &step.options {
        match option.split_once('=') {
            Some((key, value)) => fsconfig_string(context, key, value),
            None => fsconfig_flag(context, option),
        }
        .or_else(|failure| fail_at(failure.errno, option))?;
    }
    fsconfig_create(context)
}

/// procfs is of the pid namespace of who asks for it, which no process can change for itself (pid_namespaces(7)).
fn open_in_child(fstype: &str) -> Result<i32> {
    // The child shares our descriptors, not our memory: what it opens takes this one's place.
    let place = open("/", libc::O_PATH)?;
    let flags = (libc::CLONE_FILES | libc::SIGCHLD) as u64;
    let child = check(unsafe { libc::syscall(libc::SYS_clone, flags, 0u64, 0u64, 0u64, 0u64) })?;
    if child == 0 {
        let opened = fsopen(fstype).and_then(|context| replace(place, context));
        exit(opened.map_or_else(|failure| failure.errno, |()| 0));
    }
    let mut status = 0;
    check(unsafe { libc::waitpid(child as i32, &mut status, 0) })?;
    match (libc::WIFEXITED(status), libc::WEXITSTATUS(status)) {
        (true, 0) => Ok(place),
        (true, errno) => fail(errno),
        _ => fail_at(libc::ECHILD, "was killed"),
    }
}
