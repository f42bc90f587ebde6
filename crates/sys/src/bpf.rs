//! BPF programs of control groups and network namespaces (bpf(2), linux/bpf.h). The programs themselves are made in TypeScript.

use crate::error::{Context, OpError, Res, check};
use crate::table::{ops, wire};
use rustix::fs::{Mode, OFlags};
use rustix::io::Errno;
use std::os::fd::{AsRawFd, FromRawFd, IntoRawFd, OwnedFd, RawFd};

wire! {}

ops! {
    /// Loads a program, given as two words an instruction (struct bpf_insn), and attaches it to a cgroup of v2 beside those it has; it goes with the cgroup. type: BPF_PROG_TYPE_*; attach: BPF_CGROUP_*, expected at loading too.
    sync bpf_attach(cgroup: String, type_: u32, attach: u32, program: Vec<u32>) -> ();
    /// Loads a program, and links it to a network namespace, both given as for bpfAttach. The descriptor's close ends that.
    sync bpf_link(target: i32, type_: u32, attach: u32, program: Vec<u32>) -> i32;
    /// A map of sockets by number, from 0 on (BPF_MAP_TYPE_SOCKMAP), for programs that have its descriptor.
    sync bpf_sockets(sockets: Vec<i32>) -> i32;
}

const BPF_MAP_CREATE: i32 = 0;
const BPF_MAP_UPDATE_ELEM: i32 = 2;
const BPF_PROG_LOAD: i32 = 5;
const BPF_PROG_ATTACH: i32 = 8;
const BPF_LINK_CREATE: i32 = 28;
const BPF_MAP_TYPE_SOCKMAP: u32 = 15;
const BPF_F_ALLOW_MULTI: u32 = 2;

/// union bpf_attr for BPF_PROG_LOAD, up to what we set.
#[repr(C)]
#[derive(Default)]
struct Load {
    kind: u32,
    instructions: u32,
    program: u64,
    license: u64,
    log_level: u32,
    log_size: u32,
    log: u64,
    kernel_version: u32,
    flags: u32,
    name: [u8; 16],
    interface: u32,
    expected_attach: u32,
}

/// And for BPF_PROG_ATTACH.
#[repr(C)]
struct Attach {
    target: u32,
    program: u32,
    kind: u32,
    flags: u32,
}

/// And for BPF_LINK_CREATE.
#[repr(C)]
struct Link {
    program: u32,
    target: u32,
    kind: u32,
    flags: u32,
}

/// And for BPF_MAP_CREATE.
#[repr(C)]
struct Map {
    kind: u32,
    key_size: u32,
    value_size: u32,
    entries: u32,
    flags: u32,
}

/// And for BPF_MAP_UPDATE_ELEM.
#[repr(C)]
struct Element {
    map: u32,
    key: u64,
    value: u64,
    flags: u64,
}

fn bpf_attach(cgroup: String, type_: u32, attach: u32, program: Vec<u32>) -> Res<()> {
    let loaded = loaded(type_, attach, &program)?;
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let target = rustix::fs::open(&cgroup, flags, Mode::empty()).on("open", &cgroup)?;
    let order = Attach {
        target: target.as_raw_fd() as u32,
        program: loaded.as_raw_fd() as u32,
        kind: attach,
        flags: BPF_F_ALLOW_MULTI,
    };
    bpf(BPF_PROG_ATTACH, &order).on("bpf BPF_PROG_ATTACH", &cgroup)?;
    Ok(())
}

fn bpf_link(target: i32, type_: u32, attach: u32, program: Vec<u32>) -> Res<i32> {
    let loaded = loaded(type_, attach, &program)?;
    let order = Link {
        program: loaded.as_raw_fd() as u32,
        target: target as u32,
        kind: attach,
        flags: 0,
    };
    bpf(BPF_LINK_CREATE, &order).call("bpf BPF_LINK_CREATE")
}

fn bpf_sockets(sockets: Vec<i32>) -> Res<i32> {
    let order = Map {
        kind: BPF_MAP_TYPE_SOCKMAP,
        key_size: 4,
        value_size: 4,
        entries: sockets.len() as u32,
        flags: 0,
    };
    let map = bpf(BPF_MAP_CREATE, &order).call("bpf BPF_MAP_CREATE")?;
    // SAFETY: the new descriptor is ours alone.
    let map = unsafe { OwnedFd::from_raw_fd(map) };
    for (key, socket) in (0u32..).zip(&sockets) {
        let element = Element {
            map: map.as_raw_fd() as u32,
            key: &raw const key as u64,
            value: std::ptr::from_ref(socket) as u64,
            flags: 0,
        };
        bpf(BPF_MAP_UPDATE_ELEM, &element).call("bpf BPF_MAP_UPDATE_ELEM")?;
    }
    Ok(map.into_raw_fd())
}

fn loaded(type_: u32, attach: u32, program: &[u32]) -> Res<OwnedFd> {
    if program.is_empty() || !program.len().is_multiple_of(2) {
        return Err(OpError::argument("program", "two words an instruction"));
    }
    let load = Load {
        kind: type_,
        instructions: (program.len() / 2) as u32,
        program: program.as_ptr() as u64,
        license: c"Apache-2.0".as_ptr() as u64,
        expected_attach: attach,
        ..Load::default()
    };
    let loaded = bpf(BPF_PROG_LOAD, &load).call("bpf BPF_PROG_LOAD")?;
    // SAFETY: the new descriptor is ours alone.
    Ok(unsafe { OwnedFd::from_raw_fd(loaded) })
}

fn bpf<T>(command: i32, attributes: &T) -> Result<RawFd, Errno> {
    // SAFETY: both structs are prefixes of union bpf_attr, whose pointers outlive the call; the kernel takes any length.
    check(unsafe { libc::syscall(libc::SYS_bpf, command, attributes, size_of::<T>()) })
        .map(|value| value as RawFd)
}
