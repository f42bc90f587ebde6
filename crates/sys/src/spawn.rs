//! Starting a program. Everything that may allocate happens before the clone; between clone and exec the child makes
//! system calls only (signal-safety(7): under Node there are other threads).

use crate::error::{Context, OpError, Res, check, last_errno};
use crate::process::{c_string, c_strings, namespace_type, pointers};
use crate::table::{ops, wire};
use rustix::io::Errno;
use std::ffi::CString;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd, RawFd};

wire! {
    pub struct SpawnFd { pub from: i32, pub to: i32 }
    pub struct SpawnArgs {
        /// Path of the program, or use execFd.
        pub path: Option<String>,
        pub execFd: Option<i32>,
        pub argv: Vec<String>,
        /// "NAME=value"
        pub env: Vec<String>,
        pub cwd: Option<String>,
        /// Descriptors the child gets, as numbered; every other one is closed. 0-2 absent: /dev/null.
        pub fds: Vec<SpawnFd>,
        /// setns on each, in order, before anything else (descriptors of /proc/<pid>/ns/*). The child itself is in a pid namespace joined.
        pub join: Option<Vec<i32>>,
        /// unshare(2) flags, after join. With CLONE_NEWPID the child itself is PID 1 of the new namespace.
        pub unshare: Option<u32>,
        pub setsid: Option<bool>,
        /// Make descriptor 0 the controlling terminal (needs setsid).
        pub ctty: Option<bool>,
        /// Fork once more and let the intermediate exit: the child is nobody's that the caller knows; pidfd still works for polling, not for waitid.
        pub doubleFork: Option<bool>,
        /// PR_SET_PDEATHSIG, then a check that the parent still lives.
        pub parentDeathSignal: Option<i32>,
    }
    pub struct Spawned { pub pid: i32, pub pidfd: i32 }
}

ops! {
    /// Throws the error of the exec itself too (syscall "execve", path), and of every step before it.
    sync spawn(args: SpawnArgs) -> Spawned;
}

/// What the child does before it execs, in order; a failure is reported by its index.
#[derive(Clone, Copy)]
#[repr(i32)]
enum Step {
    Clone,
    Setns,
    Unshare,
    Setsid,
    Descriptors,
    Ctty,
    Chdir,
    ParentDeath,
    Exec,
}

impl Step {
    const ALL: [Self; 9] = [
        Self::Clone,
        Self::Setns,
        Self::Unshare,
        Self::Setsid,
        Self::Descriptors,
        Self::Ctty,
        Self::Chdir,
        Self::ParentDeath,
        Self::Exec,
    ];

    fn syscall(self) -> &'static str {
        match self {
            Self::Clone => "clone3",
            Self::Setns => "setns",
            Self::Unshare => "unshare",
            Self::Setsid => "setsid",
            Self::Descriptors => "dup3",
            Self::Ctty => "ioctl TIOCSCTTY",
            Self::Chdir => "chdir",
            Self::ParentDeath => "prctl",
            Self::Exec => "execve",
        }
    }
}

/// What the child says on the status socket: its pid (in the caller's namespace), or the step that failed.
/// The socket's end without a word is a successful exec.
#[derive(Clone, Copy)]
#[repr(C)]
struct Report {
    pid: i32,
    step: i32,
    errno: i32,
}

/// All that the child needs, made before the clone.
struct Plan {
    path: CString,
    exec_fd: RawFd,
    argv: Vec<*const libc::c_char>,
    env: Vec<*const libc::c_char>,
    cwd: Option<CString>,
    /// (from, to); `from` is lifted above every `to` by the child. 0-2 that the caller has left out come from /dev/null.
    fds: Vec<(RawFd, RawFd)>,
    lifted: Vec<RawFd>,
    floor: RawFd,
    join: Vec<RawFd>,
    join_pid: Vec<RawFd>,
    clone_flags: u64,
    unshare: i32,
    setsid: bool,
    ctty: bool,
    orphan: bool,
    death_signal: i32,
    status: RawFd,
}

fn spawn(args: SpawnArgs) -> Res<Spawned> {
    let ((Some(_), None) | (None, Some(_))) = (&args.path, args.execFd) else {
        return Err(OpError::argument("args", "exactly one of path and execFd"));
    };
    let (argv, env) = (c_strings(&args.argv)?, c_strings(&args.env)?);
    let null = rustix::fs::open(
        "/dev/null",
        rustix::fs::OFlags::RDWR | rustix::fs::OFlags::CLOEXEC,
        0.into(),
    )
    .on("open", "/dev/null")?;
    let mut fds: Vec<_> = args.fds.iter().map(|fd| (fd.from, fd.to)).collect();
    for standard in 0..=2 {
        if !fds.iter().any(|(_, to)| *to == standard) {
            fds.push((null.as_raw_fd(), standard));
        }
    }
    if fds.iter().any(|(from, to)| *from < 0 || *to < 0) {
        return Err(OpError::new(libc::EBADF, "spawn"));
    }
    let (ours, theirs) = status_socket()?;
    let unshare = args.unshare.unwrap_or(0);
    // A user namespace made together with the pid namespace has to own it.
    let at_clone = match unshare & libc::CLONE_NEWPID as u32 {
        0 => 0,
        _ => unshare & (libc::CLONE_NEWPID | libc::CLONE_NEWUSER) as u32,
    };
    let (join_pid, join) = args
        .join
        .unwrap_or_default()
        .into_iter()
        .partition(|fd| is_pid_namespace(*fd));
    let mut plan = Plan {
        path: c_string(args.path.as_deref().unwrap_or(""))?,
        exec_fd: args.execFd.unwrap_or(-1),
        argv: pointers(&argv),
        env: pointers(&env),
        cwd: args.cwd.as_deref().map(c_string).transpose()?,
        floor: fds.iter().map(|(_, to)| *to).max().unwrap_or(2) + 1,
        lifted: vec![-1; fds.len()],
        fds,
        join,
        join_pid,
        clone_flags: u64::from(at_clone),
        unshare: (unshare & !at_clone) as i32,
        setsid: args.setsid.unwrap_or(false),
        ctty: args.ctty.unwrap_or(false),
        orphan: args.doubleFork.unwrap_or(false),
        death_signal: args.parentDeathSignal.unwrap_or(0),
        status: theirs.as_raw_fd(),
    };
    let started = start(&mut plan, ours, theirs);
    started.map_err(|(step, errno)| OpError {
        path: match step {
            Step::Exec => args.path.unwrap_or_else(|| "(descriptor)".into()),
            Step::Chdir => args.cwd.unwrap_or_default(),
            _ => String::new(),
        },
        ..OpError::new(errno.raw_os_error(), step.syscall())
    })
}

fn status_socket() -> Res<(OwnedFd, OwnedFd)> {
    let mut pair = [0; 2];
    let kind = libc::SOCK_SEQPACKET | libc::SOCK_CLOEXEC;
    // SAFETY: socketpair writes two descriptors, which are ours alone.
    unsafe {
        check(libc::socketpair(libc::AF_UNIX, kind, 0, pair.as_mut_ptr())).call("socketpair")?;
        Ok((OwnedFd::from_raw_fd(pair[0]), OwnedFd::from_raw_fd(pair[1])))
    }
}

fn is_pid_namespace(fd: RawFd) -> bool {
    namespace_type(fd).is_ok_and(|flag| flag == libc::CLONE_NEWPID as u32)
}

type StepResult<T> = Result<T, (Step, Errno)>;

fn start(plan: &mut Plan, ours: OwnedFd, theirs: OwnedFd) -> StepResult<Spawned> {
    let direct = !plan.orphan && plan.join_pid.is_empty();
    let blocked = Blocked::all();
    let mut pidfd = -1;
    let flags = if direct { plan.clone_flags } else { 0 };
    let cloned = if direct && plan.is_plain() {
        vfork(plan, &raw mut pidfd)
    } else {
        clone3(flags | libc::CLONE_PIDFD as u64, &raw mut pidfd)
    };
    if cloned == Ok(0) {
        // In the child: never returns.
        if direct {
            become_program(plan);
        }
        // A copy here would keep the program-to-be from seeing our end.
        // SAFETY: the child's copy; the child never returns to the owner.
        unsafe { libc::close(ours.as_raw_fd()) };
        intermediate(plan);
    }
    drop(blocked);
    drop(theirs);
    let pid = cloned.map_err(|errno| (Step::Clone, errno))?;
    // SAFETY: the kernel has made the pidfd for us.
    let child = unsafe { OwnedFd::from_raw_fd(pidfd) };
    let mut spawned = (pid, child);
    let outcome = follow(&ours, direct, &mut spawned);
    // A program-to-be that still waits for our byte ends.
    drop(ours);
    // The intermediate, and a child that could not exec, are reaped here.
    if !direct || outcome.is_err() {
        reap(pid);
    }
    if outcome.is_err() && !plan.orphan && spawned.0 != pid {
        reap(spawned.0);
    }
    outcome?;
    let (pid, pidfd) = spawned;
    Ok(Spawned {
        pid,
        pidfd: std::os::fd::IntoRawFd::into_raw_fd(pidfd),
    })
}

/// Hears the child's reports until it has exec'd or failed.
fn follow(ours: &OwnedFd, direct: bool, spawned: &mut (i32, OwnedFd)) -> StepResult<()> {
    let mut named = direct;
    loop {
        if !named && !has_reported(ours.as_raw_fd(), spawned.1.as_raw_fd()) {
            return Err((Step::Clone, Errno::SRCH));
        }
        let mut report = Report {
            pid: 0,
            step: 0,
            errno: 0,
        };
        // SAFETY: recv writes at most one report.
        let got = unsafe {
            libc::recv(
                ours.as_raw_fd(),
                (&raw mut report).cast(),
                size_of::<Report>(),
                0,
            )
        };
        match got {
            -1 if last_errno() == Errno::INTR => {}
            0 if named => return Ok(()),
            // The intermediate has died without a word.
            n if n != size_of::<Report>() as isize => return Err((Step::Clone, Errno::SRCH)),
            _ if report.pid > 0 => {
                // The program-to-be waits for our byte, so its pid cannot be anybody else's by now.
                // Ours to reap from here on, whatever fails.
                spawned.0 = report.pid;
                // SAFETY: no pointers.
                let pidfd = check(unsafe { libc::syscall(libc::SYS_pidfd_open, report.pid, 0) });
                let pidfd = pidfd.map_err(|errno| (Step::Clone, errno))?;
                // SAFETY: the new descriptor is ours alone.
                spawned.1 = unsafe { OwnedFd::from_raw_fd(pidfd as RawFd) };
                named = true;
                // SAFETY: one byte is read.
                check(unsafe {
                    libc::send(
                        ours.as_raw_fd(),
                        c"g".as_ptr().cast(),
                        1,
                        libc::MSG_NOSIGNAL,
                    )
                } as i64)
                .map_err(|errno| (Step::Clone, errno))?;
            }
            _ => {
                let step = Step::ALL
                    .get(report.step as usize)
                    .copied()
                    .unwrap_or(Step::Clone);
                return Err((step, Errno::from_raw_os_error(report.errno)));
            }
        }
    }
}

/// Waits for the intermediate's report. False: it has died without one. The program-to-be, which waits for us, keeps the socket open.
fn has_reported(ours: RawFd, intermediate: RawFd) -> bool {
    let wait = |fd| libc::pollfd {
        fd,
        events: libc::POLLIN,
        revents: 0,
    };
    loop {
        let mut both = [wait(ours), wait(intermediate)];
        // SAFETY: poll writes to the two entries.
        let ready = unsafe { libc::poll(both.as_mut_ptr(), 2, -1) };
        if ready < 0 && last_errno() == Errno::INTR {
            continue;
        }
        if ready < 0 || both[0].revents != 0 {
            return true;
        }
        // It may have reported after we had looked at the socket.
        let mut last = wait(ours);
        // SAFETY: poll writes to the entry.
        return unsafe { libc::poll(&raw mut last, 1, 0) } == 1;
    }
}

fn reap(pid: i32) {
    // SAFETY: a null status is allowed.
    while unsafe { libc::waitpid(pid, std::ptr::null_mut(), libc::__WALL) } < 0
        && last_errno() == Errno::INTR
    {}
}

/// clone3 as fork: the child goes on with a copy of everything. 0 in the child.
fn clone3(flags: u64, pidfd: *mut RawFd) -> Result<i32, Errno> {
    let parent = flags & libc::CLONE_PARENT as u64 != 0;
    // SAFETY: clone_args is plain data, 0 meaning "none".
    let mut args: libc::clone_args = unsafe { std::mem::zeroed() };
    args.flags = flags;
    args.pidfd = pidfd as u64;
    args.exit_signal = if parent { 0 } else { libc::SIGCHLD as u64 };
    // SAFETY: no shared memory and no new stack: both processes return from here.
    Ok(check(unsafe {
        libc::syscall(
            libc::SYS_clone3,
            &raw const args,
            size_of::<libc::clone_args>(),
        )
    })? as i32)
}

/// Bytes of stack for what the child does before it execs.
const VFORK_STACK: usize = 64 << 10;

/// As posix_spawn(3): the child runs in our memory while this thread waits for its exec, so that no page table is copied and no page
/// faults for having been shared. Most of a spawn's time where programs are large or memory is emulated.
fn vfork(plan: &mut Plan, pidfd: *mut RawFd) -> Result<i32, Errno> {
    extern "C" fn child(plan: *mut libc::c_void) -> libc::c_int {
        // SAFETY: the plan of the caller, who is suspended and outlives us.
        become_program(unsafe { &mut *plan.cast::<Plan>() })
    }
    let mut stack = Vec::<u128>::with_capacity(VFORK_STACK / size_of::<u128>());
    let flags = libc::CLONE_VM | libc::CLONE_VFORK | libc::CLONE_PIDFD | libc::SIGCHLD;
    // SAFETY: the stack is the child's alone, aligned, and freed when the child has its own memory or has ended.
    Ok(check(unsafe {
        let top = stack.as_mut_ptr().byte_add(VFORK_STACK);
        libc::clone(child, top.cast(), flags, (plan as *mut Plan).cast(), pidfd)
    })? as i32)
}

impl Plan {
    /// Nothing about it forbids shared memory: unshare(CLONE_NEWUSER) does (unshare(2), EINVAL).
    fn is_plain(&self) -> bool {
        self.clone_flags == 0 && self.unshare == 0 && self.join.is_empty()
    }
}

/// All signals are blocked while the child has our handlers and its own mask is not set.
struct Blocked(libc::sigset_t);

impl Blocked {
    fn all() -> Self {
        // SAFETY: both sets are plain data that the calls fill.
        unsafe {
            let (mut all, mut old) = (std::mem::zeroed(), std::mem::zeroed());
            libc::sigfillset(&raw mut all);
            libc::pthread_sigmask(libc::SIG_BLOCK, &raw const all, &raw mut old);
            Self(old)
        }
    }
}

impl Drop for Blocked {
    fn drop(&mut self) {
        // SAFETY: the old set is the one the kernel gave.
        unsafe {
            libc::pthread_sigmask(libc::SIG_SETMASK, &raw const self.0, std::ptr::null_mut())
        };
    }
}

// ---- From here on: in the child. Only system calls, no allocation, no unwinding. ----

fn fail(plan: &Plan, step: Step) -> ! {
    let report = Report {
        pid: 0,
        step: step as i32,
        errno: last_errno().raw_os_error(),
    };
    say(plan, report);
    // SAFETY: ends the child at once.
    unsafe { libc::_exit(127) }
}

fn say(plan: &Plan, report: Report) {
    // SAFETY: sends one report.
    unsafe {
        libc::send(
            plan.status,
            (&raw const report).cast(),
            size_of::<Report>(),
            libc::MSG_NOSIGNAL,
        )
    };
}

/// Makes the program's process, tells its pid and ends: for an orphan, and to get into a pid namespace.
fn intermediate(plan: &mut Plan) -> ! {
    for fd in &plan.join_pid {
        // SAFETY: no pointers.
        if unsafe { libc::setns(*fd, libc::CLONE_NEWPID) } != 0 {
            fail(plan, Step::Setns);
        }
    }
    // CLONE_PARENT: the program is our parent's child, who waits for it.
    let flags = if plan.orphan {
        0
    } else {
        libc::CLONE_PARENT as u64
    };
    match clone3(plan.clone_flags | flags, std::ptr::null_mut()) {
        Ok(0) => {
            let mut go = 0u8;
            // SAFETY: recv writes one byte.
            if unsafe { libc::recv(plan.status, (&raw mut go).cast(), 1, 0) } != 1 {
                // SAFETY: ends the child at once.
                unsafe { libc::_exit(127) }
            }
            become_program(plan)
        }
        Ok(pid) => say(
            plan,
            Report {
                pid,
                step: 0,
                errno: 0,
            },
        ),
        Err(_) => fail(plan, Step::Clone),
    }
    // SAFETY: ends the intermediate at once.
    unsafe { libc::_exit(0) }
}

fn become_program(plan: &mut Plan) -> ! {
    // The raw calls below take no pointers but to what is in the plan, which outlives them.
    // SAFETY: see above.
    unsafe {
        for fd in &plan.join {
            if libc::setns(*fd, 0) != 0 {
                fail(plan, Step::Setns);
            }
        }
        if plan.unshare != 0 && libc::unshare(plan.unshare) != 0 {
            fail(plan, Step::Unshare);
        }
        if plan.setsid && libc::setsid() < 0 {
            fail(plan, Step::Setsid);
        }
        place_descriptors(plan);
        if plan.ctty && libc::ioctl(0, libc::TIOCSCTTY, 0) != 0 {
            fail(plan, Step::Ctty);
        }
        if plan
            .cwd
            .as_ref()
            .is_some_and(|cwd| libc::chdir(cwd.as_ptr()) != 0)
        {
            fail(plan, Step::Chdir);
        }
        if plan.death_signal != 0 {
            if libc::prctl(libc::PR_SET_PDEATHSIG, plan.death_signal) != 0 {
                fail(plan, Step::ParentDeath);
            }
            // The parent may have died before: then its end of the socket is closed. (In a new pid namespace
            // getppid() is 0 either way.)
            let mut byte = 0u8;
            if libc::recv(
                plan.status,
                (&raw mut byte).cast(),
                1,
                libc::MSG_DONTWAIT | libc::MSG_PEEK,
            ) == 0
            {
                libc::_exit(127);
            }
        }
        default_signals();
        if plan.exec_fd >= 0 {
            let flags = libc::AT_EMPTY_PATH;
            libc::syscall(
                libc::SYS_execveat,
                plan.exec_fd,
                c"".as_ptr(),
                plan.argv.as_ptr(),
                plan.env.as_ptr(),
                flags,
            );
        } else {
            libc::execve(plan.path.as_ptr(), plan.argv.as_ptr(), plan.env.as_ptr());
        }
    }
    fail(plan, Step::Exec)
}

/// Puts every descriptor at its number and marks all others to be closed by the exec.
///
/// # Safety
/// In the child only: the parent's descriptors would be overwritten.
unsafe fn place_descriptors(plan: &mut Plan) {
    // SAFETY: no pointers.
    unsafe {
        // First out of the way of each other and of the numbers wanted.
        for index in 0..plan.fds.len() {
            plan.lifted[index] = lift(plan, plan.fds[index].0);
        }
        plan.status = lift(plan, plan.status);
        if plan.exec_fd >= 0 {
            plan.exec_fd = lift(plan, plan.exec_fd);
        }
        if libc::syscall(
            libc::SYS_close_range,
            3,
            u32::MAX,
            libc::CLOSE_RANGE_CLOEXEC,
        ) != 0
        {
            fail(plan, Step::Descriptors);
        }
        for index in 0..plan.fds.len() {
            if libc::dup2(plan.lifted[index], plan.fds[index].1) < 0 {
                fail(plan, Step::Descriptors);
            }
        }
    }
}

/// # Safety
/// As [`place_descriptors`].
unsafe fn lift(plan: &Plan, fd: RawFd) -> RawFd {
    // SAFETY: no pointers.
    let lifted = unsafe { libc::fcntl(fd, libc::F_DUPFD_CLOEXEC, plan.floor.max(3)) };
    if lifted < 0 {
        fail(plan, Step::Descriptors);
    }
    lifted
}

/// Every signal at its default, none blocked.
///
/// # Safety
/// In the child only: handlers are lost.
unsafe fn default_signals() {
    // SAFETY: the sets and actions are plain data that outlive the calls; what has no default to set is refused.
    unsafe {
        let mut default: libc::sigaction = std::mem::zeroed();
        default.sa_sigaction = libc::SIG_DFL;
        for signal in 1..=64 {
            libc::sigaction(signal, &raw const default, std::ptr::null_mut());
        }
        let mut none: libc::sigset_t = std::mem::zeroed();
        libc::sigemptyset(&raw mut none);
        libc::pthread_sigmask(libc::SIG_SETMASK, &raw const none, std::ptr::null_mut());
    }
}
