//! The plan. The documentation of every step is in packages/launch/src/plan.ts; decode.rs reads it from JSON.

use crate::scheduling::Scheduler;

pub struct Plan {
    pub sealed: bool,
    pub parent: Vec<Step>,
    pub stage: Vec<Step>,
    pub init: Vec<Step>,
}

pub struct Step {
    /// The operation's name in the plan.
    pub name: String,
    pub ignore: Vec<i32>,
    pub operation: Operation,
}

pub enum FdRef {
    Number(i32),
    Name(String),
}

#[derive(Clone, Copy)]
pub enum Create {
    Directory,
    File,
    LikeSource,
}

#[derive(PartialEq)]
pub enum Side {
    Send,
    Wait,
}

pub struct Target {
    pub root: Option<FdRef>,
    pub target: String,
    pub create: Option<Create>,
    pub no_symlinks: bool,
    pub not_on: Option<i64>,
}

pub struct Mount {
    pub fstype: String,
    pub source: String,
    pub flags: u64,
    pub data: String,
    pub copy_up: bool,
    pub keep_mode: bool,
    pub propagation: Option<u64>,
    pub target: Target,
}

/// Whose ids an id-mapped mount shows.
pub enum IdMap {
    /// Of a user namespace that is there.
    Namespace(String),
    /// Lines as in uid_map and gid_map.
    Ids { uid: String, gid: String },
}

pub struct OpenTree {
    pub source: String,
    pub recursive: bool,
    pub map: IdMap,
    pub map_recursive: bool,
    pub name: String,
}

/// A new file system that is not attached yet.
pub struct Fsmount {
    pub fstype: String,
    pub source: String,
    pub options: Vec<String>,
    pub attributes: u64,
    pub in_child: bool,
    pub name: String,
}

pub struct Bind {
    pub source: Option<String>,
    pub source_root: Option<FdRef>,
    pub tree: Option<FdRef>,
    pub source_on: Option<i64>,
    pub recursive: bool,
    pub set: u64,
    pub clear: u64,
    pub set_recursive: u64,
    pub clear_recursive: u64,
    pub propagation: Option<u64>,
    pub name: Option<String>,
    pub target: Target,
}

/// What is written when there is no such file.
pub struct Instead {
    pub path: String,
    pub text: String,
}

pub struct Console {
    pub root: FdRef,
    pub bind_console: bool,
    pub uid: u32,
    pub gid: Option<u32>,
    pub rows: Option<u16>,
    pub columns: Option<u16>,
}

/// A hook that this process runs itself (hook.rs).
pub struct Hook {
    pub name: String,
    pub path: String,
    pub argv: Vec<String>,
    pub env: Vec<String>,
    /// What comes before and after our own pid.
    pub state: Vec<String>,
    pub seconds: u32,
}

pub enum Program {
    Path {
        path: String,
    },
    Fd {
        fd: FdRef,
    },
    /// What find_executable found.
    Found,
}

pub enum Operation {
    Open {
        path: String,
        flags: i32,
        name: String,
        root: Option<FdRef>,
        on: Option<i64>,
    },
    Close {
        fd: FdRef,
    },
    CloseOthers {
        keep: Vec<FdRef>,
        pass: Vec<i32>,
    },
    Dumpable {
        on: bool,
    },
    PassFds {
        fds: Vec<i32>,
    },
    Write {
        path: String,
        text: String,
        proc: bool,
        or: Option<Instead>,
    },
    Mkdir {
        path: String,
        mode: u32,
        root: Option<FdRef>,
    },
    Symlink {
        path: String,
        to: String,
        root: Option<FdRef>,
    },
    Mknod {
        path: String,
        mode: u32,
        major: u32,
        minor: u32,
        uid: u32,
        gid: u32,
        root: Option<FdRef>,
    },
    Setns {
        fd: FdRef,
        r#type: i32,
    },
    Unshare {
        flags: i32,
    },
    Sync {
        name: String,
        side: Side,
    },
    IdMap {
        uid: String,
        gid: String,
        deny_setgroups: bool,
    },
    Hostname {
        name: String,
    },
    Domainname {
        name: String,
    },
    LoopbackUp,
    InheritCpuset {
        base: String,
        path: String,
    },
    DeviceFilter {
        cgroup: String,
        program: Vec<u32>,
    },
    Propagation {
        path: String,
        flags: u64,
    },
    PrivateParent {
        path: String,
    },
    Mount(Mount),
    OpenTree(OpenTree),
    Fsmount(Fsmount),
    Bind(Bind),
    Mask {
        path: String,
        root: FdRef,
    },
    Remount {
        path: String,
        set: u64,
        clear: u64,
    },
    PivotRoot {
        root: FdRef,
    },
    MoveRoot {
        root: FdRef,
    },
    Chroot {
        root: FdRef,
    },
    Console(Console),
    ControllingTerminal,
    Setsid,
    SessionKeyring {
        name: String,
    },
    Rlimit {
        resource: u32,
        soft: i64,
        hard: i64,
    },
    RaiseRlimit {
        resource: u32,
        hard: i64,
    },
    Umask {
        mask: u32,
    },
    ChownStdio {
        uid: u32,
    },
    User {
        uid: u32,
        gid: u32,
        groups: Option<Vec<u32>>,
        keep_capabilities: bool,
    },
    Bounding {
        keep: u64,
    },
    Capabilities {
        effective: u64,
        permitted: u64,
        inheritable: u64,
        ambient: u64,
    },
    NoNewPrivileges,
    Seccomp {
        flags: u32,
        program: Vec<u32>,
        listener: bool,
    },
    Personality {
        persona: u32,
    },
    Scheduler(Scheduler),
    IoPriority {
        class: u32,
        priority: u32,
    },
    Affinity {
        cpus: Vec<u32>,
    },
    ParentDeathSignal {
        signal: i32,
        parent: i32,
    },
    Chdir {
        path: String,
        if_not_yet: bool,
    },
    Home {
        uid: u32,
    },
    FindExecutable {
        file: String,
        path: String,
    },
    Ask {
        what: String,
    },
    ReportTo {
        fd: FdRef,
    },
    Hook(Hook),
    Ready,
    Wait {
        fd: FdRef,
    },
    Exec {
        argv: Vec<String>,
        env: Vec<String>,
        program: Program,
    },
}
