//! A hook that the container's first process runs itself: in its namespaces, with its rights.

use crate::plan::Hook;
use crate::sys::*;
use std::ffi::CString;

/// What is told of a hook's last output, bytes.
const TAIL: i64 = 1024;

/// Runs a hook to its end. Errors: errno 0 with how it ended when that was not with status 0 in its time; else what could not be
/// done, the hook's execve among it.
pub fn run(hook: &Hook) -> Result<()> {
    run_to_end(hook).or_else(|failure| {
        let why = failure.detail.unwrap_or_else(|| "cannot be run".into());
        fail_at(failure.errno, format!("{} {}: {why}", hook.name, hook.path))
    })
}

fn run_to_end(hook: &Hook) -> Result<()> {
    let input = memfd("state")?;
    write_all_at_once(input, &hook.state.join(&std::process::id().to_string()))?;
    check(unsafe { libc::lseek(input, 0, libc::SEEK_SET) })?;
    // Not a pipe: nobody has to read it while the hook runs, and its children may hold it open.
    let output = memfd("output")?;
    let arguments = strings(&hook.argv)?;
    let environment = strings(&hook.env)?;
    let path = c_string(&hook.path)?;
    let [failed, tells] = pipe()?;
    let Some((pid, pidfd)) = clone_child()? else {
        let failure = start(&path, &arguments, &environment, input, output);
        let _ = write_all_at_once(tells, &failure.errno.to_string());
        unsafe { libc::_exit(127) };
    };
    close(tells);
    close(input);
    let status = wait(pid, pidfd, hook.seconds);
    close(pidfd);
    let mut errno = [0; 16];
    let length = read(failed, &mut errno)?;
    close(failed);
    let errno = std::str::from_utf8(&errno[..length]).unwrap_or_default();
    if let Ok(errno) = errno.parse() {
        return fail_at(errno, "cannot start");
    }
    let how = match status? {
        None => format!("killed, it did not end within {} s", hook.seconds),
        Some(status) if libc::WIFSIGNALED(status) => {
            format!("ended by signal {}", libc::WTERMSIG(status))
        }
        Some(status) if libc::WEXITSTATUS(status) != 0 => {
            format!("exit status {}", libc::WEXITSTATUS(status))
        }
        Some(_) => {
            close(output);
            return Ok(());
        }
    };
    let words = last_words(output)?;
    close(output);
    fail_at(0, format!("{how}{words}"))
}

/// In the child; returns only with what failed.
fn start(
    path: &CString,
    arguments: &[CString],
    environment: &[CString],
    input: i32,
    output: i32,
) -> Failure {
    let pointers = |list: &[CString]| {
        let ends = std::iter::once(std::ptr::null());
        list.iter()
            .map(|text| text.as_ptr())
            .chain(ends)
            .collect::<Vec<_>>()
    };
    let (arguments, environment) = (pointers(arguments), pointers(environment));
    let done = || -> Result<()> {
        check(unsafe { libc::setsid() })?;
        for (fd, number) in [(input, 0), (output, 1), (output, 2)] {
            check(unsafe { libc::dup2(fd, number) })?;
        }
        // By exec: the pipe that tells of its failure is needed until then.
        check(unsafe {
            libc::syscall(
                libc::SYS_close_range,
                3,
                u32::MAX,
                libc::CLOSE_RANGE_CLOEXEC,
            )
        })?;
        // SAFETY: both lists end in a null pointer, and what they point to lives.
        check(unsafe { libc::execve(path.as_ptr(), arguments.as_ptr(), environment.as_ptr()) })?;
        Ok(())
    };
    done().err().unwrap_or(Failure {
        errno: libc::EINVAL,
        detail: None,
    })
}

/// Its status; None: it was killed, with its children, when its time was over.
fn wait(pid: i32, pidfd: i32, seconds: u32) -> Result<Option<i32>> {
    let mut poll = libc::pollfd {
        fd: pidfd,
        events: libc::POLLIN,
        revents: 0,
    };
    let milliseconds = i32::try_from(u64::from(seconds) * 1000).unwrap_or(i32::MAX);
    let ended = check(unsafe { libc::poll(&mut poll, 1, milliseconds) })? != 0;
    if !ended {
        unsafe { libc::kill(-pid, libc::SIGKILL) };
        unsafe { libc::kill(pid, libc::SIGKILL) };
    }
    let mut status = 0;
    check(unsafe { libc::waitpid(pid, &mut status, 0) })?;
    Ok(ended.then_some(status))
}

/// ": what it said last", on one line, or nothing.
fn last_words(output: i32) -> Result<String> {
    let size = check(unsafe { libc::lseek(output, 0, libc::SEEK_END) })?;
    check(unsafe { libc::lseek(output, (size - TAIL).max(0), libc::SEEK_SET) })?;
    let mut tail = [0; TAIL as usize];
    let length = read(output, &mut tail)?;
    let text = String::from_utf8_lossy(&tail[..length]);
    let lines: Vec<_> = text
        .lines()
        .map(str::trim)
        .filter(|line| !line.is_empty())
        .collect();
    let first = lines.len().saturating_sub(3);
    Ok(match lines.is_empty() {
        true => String::new(),
        false => format!(": {}", lines[first..].join("; ")),
    })
}

fn strings(list: &[String]) -> Result<Vec<CString>> {
    list.iter().map(|text| c_string(text)).collect()
}

fn pipe() -> Result<[i32; 2]> {
    let mut ends = [0; 2];
    check(unsafe { libc::pipe2(ends.as_mut_ptr(), libc::O_CLOEXEC) })?;
    Ok(ends)
}
