//! Runs the steps of a list in order.

use crate::control::{self, CONTROL};
use crate::plan::{FdRef, Operation, Program, Side, Step};
use crate::sys::*;
use crate::{detached, device_filter, files, hook, id_mapped, mounts, paths, process};
use crate::{scheduling, seccomp, terminal};
use std::collections::BTreeMap;

/// What the steps of one process share.
pub struct Launch {
    /// Descriptors that steps have opened, by name.
    named: BTreeMap<String, i32>,
    /// Our end of the socket between S and P.
    pub peer: Option<i32>,
    home: Option<String>,
    found: Option<String>,
    /// A chdir has succeeded.
    entered: bool,
}

impl Launch {
    pub fn new() -> Self {
        Launch {
            named: BTreeMap::new(),
            peer: None,
            home: None,
            found: None,
            entered: false,
        }
    }

    /// Runs a list; the first error is reported and ends the process.
    pub fn run(&mut self, list: &str, steps: &[Step]) {
        for (index, step) in steps.iter().enumerate() {
            let Err(failure) = self.step(&step.operation) else {
                continue;
            };
            if step.ignore.contains(&failure.errno) {
                continue;
            }
            control::report(list, index, &step.name, &failure);
            let is_exec = matches!(step.operation, Operation::Exec { .. });
            exit(match failure.errno {
                libc::ENOENT if is_exec => 127,
                _ if is_exec => 126,
                _ => 1,
            });
        }
    }

    pub fn fd(&self, reference: &FdRef) -> Result<i32> {
        match reference {
            FdRef::Number(fd) => Ok(*fd),
            FdRef::Name(name) => match self.named.get(name) {
                Some(fd) => Ok(*fd),
                None => fail_at(libc::EBADF, name),
            },
        }
    }

    pub fn name(&mut self, name: &str, fd: i32) {
        self.named.insert(name.to_string(), fd);
    }

    /// No step joins S and P any more.
    pub fn leave_peer(&mut self) {
        if let Some(peer) = self.peer.take() {
            close(peer);
        }
    }

    fn root(&self, root: &Option<FdRef>) -> Result<Option<i32>> {
        root.as_ref().map(|root| self.fd(root)).transpose()
    }

    fn step(&mut self, operation: &Operation) -> Result<()> {
        match operation {
            Operation::Open {
                path,
                flags,
                name,
                root,
                on,
            } => {
                let fd = match self.root(root)? {
                    None => open(path, *flags)?,
                    inside => paths::open_in(inside, path, *flags, 0)?,
                };
                if let Some(wanted) = on
                    && file_system(fd)? != *wanted
                {
                    return fail_at(libc::EPERM, "is on another file system");
                }
                self.name(name, fd);
            }
            Operation::Close { fd } => {
                close(self.fd(fd)?);
                self.named
                    .retain(|name, _| !matches!(fd, FdRef::Name(closed) if closed == name));
            }
            Operation::CloseOthers { keep, pass } => self.close_others(keep, pass)?,
            Operation::Dumpable { on } => prctl(libc::PR_SET_DUMPABLE, (*on).into(), 0)?,
            Operation::PassFds { fds } => pass_fds(fds)?,
            Operation::Write {
                path,
                text,
                proc,
                or,
            } => {
                let write = match proc {
                    true => files::write_proc,
                    false => files::write,
                };
                match (write(path, text), or) {
                    (Err(failure), Some(or)) if failure.errno == libc::ENOENT => {
                        write(&or.path, &or.text)
                    }
                    (written, _) => written,
                }?;
            }
            Operation::Mkdir { path, mode, root } => {
                close(paths::ensure_directory(self.root(root)?, path, *mode)?);
            }
            Operation::Symlink { path, to, root } => files::symlink(self.root(root)?, path, to)?,
            Operation::Mknod {
                path,
                mode,
                major,
                minor,
                uid,
                gid,
                root,
            } => {
                let device = libc::makedev(*major, *minor);
                let node = files::Node {
                    path,
                    mode: *mode,
                    device,
                    uid: *uid,
                    gid: *gid,
                };
                files::mknod(self.root(root)?, &node)?;
            }
            Operation::Setns { fd, r#type } => {
                check(unsafe { libc::setns(self.fd(fd)?, *r#type) })?;
            }
            Operation::Unshare { flags } => {
                check(unsafe { libc::unshare(*flags) })?;
            }
            Operation::Sync { name, side } => self.sync(name, side)?,
            Operation::IdMap {
                uid,
                gid,
                deny_setgroups,
            } => id_map(uid, gid, *deny_setgroups)?,
            Operation::Hostname { name } => {
                check(unsafe { libc::sethostname(name.as_ptr().cast(), name.len()) })?;
            }
            Operation::Domainname { name } => {
                check(unsafe { libc::setdomainname(name.as_ptr().cast(), name.len()) })?;
            }
            Operation::LoopbackUp => process::loopback_up()?,
            Operation::InheritCpuset { base, path } => files::inherit_cpuset(base, path)?,
            Operation::DeviceFilter { cgroup, program } => device_filter::attach(cgroup, program)?,
            Operation::Propagation { path, flags } => mount(None, path, None, *flags, "")?,
            Operation::PrivateParent { path } => self.private_parent(path)?,
            Operation::Mount(step) => self.mount(step)?,
            Operation::OpenTree(step) => {
                let tree = id_mapped::open(step)?;
                self.name(&step.name, tree);
            }
            Operation::Fsmount(step) => {
                let mount = detached::make(step)?;
                self.name(&step.name, mount);
            }
            Operation::Bind(step) => self.bind(step)?,
            Operation::Mask { path, root } => self.mask(self.fd(root)?, path)?,
            Operation::Remount { path, set, clear } => mounts::remount(path, *set, *clear)?,
            Operation::PivotRoot { root } => self.pivot_root(self.fd(root)?)?,
            Operation::MoveRoot { root } => self.move_root(self.fd(root)?)?,
            Operation::Chroot { root } => mounts::chroot(self.fd(root)?)?,
            Operation::Console(step) => terminal::console(self.fd(&step.root)?, step)?,
            Operation::ControllingTerminal => terminal::controlling_terminal()?,
            Operation::Setsid => {
                check(unsafe { libc::setsid() })?;
            }
            Operation::SessionKeyring { name } => process::session_keyring(name)?,
            Operation::Rlimit {
                resource,
                soft,
                hard,
            } => process::rlimit(*resource, *soft, *hard)?,
            Operation::RaiseRlimit { resource, hard } => process::raise_rlimit(*resource, *hard)?,
            Operation::Umask { mask } => {
                unsafe { libc::umask(*mask) };
            }
            Operation::ChownStdio { uid } => process::chown_stdio(*uid)?,
            Operation::User {
                uid,
                gid,
                groups,
                keep_capabilities,
            } => {
                process::user(*uid, *gid, groups.as_deref(), *keep_capabilities)?;
            }
            Operation::Bounding { keep } => process::bounding(*keep)?,
            Operation::Capabilities {
                effective,
                permitted,
                inheritable,
                ambient,
            } => {
                process::capabilities(*effective, *permitted, *inheritable, *ambient)?;
            }
            Operation::NoNewPrivileges => prctl(libc::PR_SET_NO_NEW_PRIVS, 1, 0)?,
            Operation::Seccomp {
                flags,
                program,
                listener,
            } => seccomp::install(*flags, program, *listener)?,
            Operation::Personality { persona } => process::personality(*persona)?,
            Operation::Scheduler(step) => scheduling::scheduler(step)?,
            Operation::IoPriority { class, priority } => {
                scheduling::io_priority(*class, *priority)?;
            }
            Operation::Affinity { cpus } => scheduling::affinity(cpus)?,
            Operation::ParentDeathSignal { signal, parent } => {
                process::parent_death_signal(*signal, *parent)?;
            }
            Operation::Chdir { path, if_not_yet } => {
                if !(*if_not_yet && self.entered) {
                    process::chdir(path)?;
                    self.entered = true;
                }
            }
            Operation::Home { uid } => self.home = Some(process::home(*uid)),
            Operation::FindExecutable { file, path } => {
                self.found = Some(process::find_executable(file, path)?);
            }
            Operation::Ask { what } => {
                control::ask(what)?;
            }
            Operation::ReportTo { fd } => control::report_to(self.fd(fd)?),
            Operation::Hook(hook) => hook::run(hook)?,
            Operation::Ready => control::send(r#"{"ready":true}"#, None)?,
            Operation::Wait { fd } => {
                // End of file: whoever could have started us is gone.
                if read(self.fd(fd)?, &mut [0])? == 0 {
                    exit(1);
                }
            }
            Operation::Exec { argv, env, program } => self.exec(argv, env, program)?,
        }
        Ok(())
    }

    fn close_others(&mut self, keep: &[FdRef], pass: &[i32]) -> Result<()> {
        let mut kept = vec![CONTROL];
        for reference in keep {
            kept.push(self.fd(reference)?);
        }
        for fd in kept.iter().filter(|fd| **fd > 2) {
            // The control socket may not be there at all.
            set_close_on_exec(*fd, true).or_else(|failure| match *fd {
                CONTROL => Ok(()),
                _ => Err(failure),
            })?;
        }
        for fd in pass {
            set_close_on_exec(*fd, false)?;
        }
        kept.extend(pass);
        kept.sort_unstable();
        let mut first = 3;
        for fd in kept.iter().map(|fd| *fd as u32).filter(|fd| *fd > 2) {
            if fd > first {
                close_range(first, fd - 1);
            }
            first = fd + 1;
        }
        close_range(first, u32::MAX);
        self.named.retain(|_, fd| kept.contains(fd));
        Ok(())
    }

    fn sync(&self, name: &str, side: &Side) -> Result<()> {
        let Some(peer) = self.peer else {
            return fail(libc::ENOTCONN);
        };
        if *side == Side::Send {
            return write_all_at_once(peer, name);
        }
        let mut buffer = [0; 64];
        match read(peer, &mut buffer)? {
            // The other side has reported its own failure.
            0 => exit(1),
            length if &buffer[..length] == name.as_bytes() => Ok(()),
            _ => fail(libc::EPROTO),
        }
    }

    fn exec(&self, argv: &[String], env: &[String], program: &Program) -> Result<()> {
        let strings = |list: &[String]| {
            list.iter()
                .map(|text| c_string(text))
                .collect::<Result<Vec<_>>>()
        };
        let argv = strings(argv)?;
        let mut env = strings(env)?;
        if let Some(home) = &self.home
            && !env
                .iter()
                .any(|entry| entry.as_bytes().starts_with(b"HOME="))
        {
            env.push(c_string(&format!("HOME={home}"))?);
        }
        let pointers = |list: &[std::ffi::CString]| {
            let ends = std::iter::once(std::ptr::null());
            list.iter()
                .map(|text| text.as_ptr())
                .chain(ends)
                .collect::<Vec<_>>()
        };
        let (argv, env) = (pointers(&argv), pointers(&env));
        let path = match program {
            Program::Fd { .. } => String::new(),
            Program::Path { path } => path.clone(),
            Program::Found => self.found.clone().unwrap_or_default(),
        };
        let c_path = c_string(&path)?;
        // SAFETY: both lists end in a null pointer, and what they point to lives until the end of this function.
        let result = unsafe {
            match program {
                Program::Fd { fd } => libc::syscall(
                    libc::SYS_execveat,
                    self.fd(fd)?,
                    c_path.as_ptr(),
                    argv.as_ptr(),
                    env.as_ptr(),
                    libc::AT_EMPTY_PATH,
                ),
                // Not execveat: seccomp profiles exist that allow execve alone.
                _ => libc::syscall(
                    libc::SYS_execve,
                    c_path.as_ptr(),
                    argv.as_ptr(),
                    env.as_ptr(),
                ),
            }
        };
        check(result)
            .map(|_| ())
            .or_else(|failure| fail_at(failure.errno, path))
    }
}

/// Gives the program these descriptors as 3, 4, … Each has a higher number than it gets, so none is lost on the way.
fn pass_fds(fds: &[i32]) -> Result<()> {
    let first = crate::PLAN;
    control::make_room(first + fds.len() as i32)?;
    for (to, from) in (first..).zip(fds) {
        check(unsafe { libc::dup2(*from, to) })?;
    }
    Ok(())
}

/// Writes the maps of our parent, S, which waits in its new user namespace.
fn id_map(uid: &str, gid: &str, deny_setgroups: bool) -> Result<()> {
    let process = format!("/proc/{}", unsafe { libc::getppid() });
    if deny_setgroups {
        files::write_proc(&format!("{process}/setgroups"), "deny")?;
    }
    files::write_proc(&format!("{process}/uid_map"), uid)?;
    files::write_proc(&format!("{process}/gid_map"), gid)
}
