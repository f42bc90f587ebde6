//! kata-launch: executes the launch plan on descriptor 3 (packages/launch/src/plan.ts) and decides nothing.
//!
//! One thread, no allocation tricks, no JavaScript: unsharing a user namespace and cloning before exec need that, and its
//! small size makes running from a sealed copy cheap. Descriptor 4 is the control socket.

// Rust's own start would look for the stack's end in /proc/self/maps, install handlers and poll the descriptors: in a guest whose
// software is emulated that takes as long as a mount. In its place: `main`, called by the C library.
#![cfg_attr(not(test), no_main)]
#![cfg_attr(test, allow(dead_code))]

mod control;
mod copy_up;
mod decode;
mod detached;
mod device_filter;
mod files;
mod hook;
mod id_mapped;
mod json;
mod launch;
mod mounts;
mod paths;
mod plan;
mod process;
mod scheduling;
mod sealed;
mod seccomp;
mod sys;
mod terminal;

use control::CONTROL;
use launch::Launch;
use plan::Plan;
use std::os::fd::FromRawFd;
use sys::*;

pub const PLAN: i32 = 3;

#[cfg(not(test))]
#[unsafe(no_mangle)]
extern "C" fn main() -> i32 {
    // SAFETY: before any other thread exists. A peer that is gone is an error of the write.
    unsafe { libc::signal(libc::SIGPIPE, libc::SIG_IGN) };
    if let Err(failure) = run() {
        control::report("start", 0, "start", &failure);
        exit(1);
    }
    0
}

fn run() -> Result<()> {
    let text = read_plan()?;
    let plan = match decode::plan(&text) {
        Ok(plan) => plan,
        Err(error) => return fail_at(libc::EINVAL, format!("plan: {error}")),
    };
    if plan.sealed && !sealed::is_sealed()? {
        return sealed::run_sealed(&text);
    }
    // Out of reach of ptrace and /proc/<pid>/fd for the container whose namespaces we enter.
    prctl(libc::PR_SET_DUMPABLE, 0, 0)?;
    unsafe { libc::umask(0) };
    let mut launch = Launch::new();
    if plan.stage.is_empty() {
        set_close_on_exec(CONTROL, true).ok();
        process::default_signals();
        launch.run("init", &plan.init);
        return fail_at(libc::EINVAL, "plan: init does not end in exec");
    }
    set_close_on_exec(CONTROL, true)?;
    stage(&mut launch, &plan)
}

fn read_plan() -> Result<Vec<u8>> {
    use std::io::Read;
    // SAFETY: descriptor 3 is ours by the contract with the spawner; it is closed here.
    let mut file = unsafe { std::fs::File::from_raw_fd(PLAN) };
    let mut text = Vec::new();
    file.read_to_end(&mut text)?;
    Ok(text)
}

/// Runs as S: with P beside it if the plan has work for one, until I exists.
fn stage(launch: &mut Launch, plan: &Plan) -> Result<()> {
    let parent = if plan.parent.is_empty() {
        None
    } else {
        Some(fork_parent(launch, plan)?)
    };
    launch.run("stage", &plan.stage);
    let Some((pid, pidfd)) = clone_sibling()? else {
        launch.leave_peer();
        process::default_signals();
        launch.run("init", &plan.init);
        return fail_at(libc::EINVAL, "plan: init does not end in exec");
    };
    control::send(&format!(r#"{{"pid":{pid}}}"#), Some(pidfd))?;
    launch.leave_peer();
    if let Some(parent) = parent {
        check(unsafe { libc::waitpid(parent, std::ptr::null_mut(), 0) })?;
    }
    exit(0)
}

/// Forks P, which runs the `parent` list and exits.
fn fork_parent(launch: &mut Launch, plan: &Plan) -> Result<i32> {
    let mut pair = [0; 2];
    let kind = libc::SOCK_SEQPACKET | libc::SOCK_CLOEXEC;
    check(unsafe { libc::socketpair(libc::AF_UNIX, kind, 0, pair.as_mut_ptr()) })?;
    let [ours, theirs] = pair;
    let pid = check(unsafe { libc::fork() })? as i32;
    if pid != 0 {
        close(theirs);
        launch.peer = Some(ours);
        return Ok(pid);
    }
    close(ours);
    launch.peer = Some(theirs);
    launch.run("parent", &plan.parent);
    exit(0)
}
