//! BPF programs of control groups (bpf(2), linux/bpf.h). The programs themselves are made in TypeScript.

use crate::error::{Context, OpError, Res, check};
use crate::table::{ops, wire};
use rustix::fs::{Mode, OFlags};
use rustix::io::Errno;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd, RawFd};

wire! {}

ops! {
    /// Loads a program, given as two words an instruction (struct bpf_insn), and attaches it to a cgroup of v2 beside those it has; it goes with the cgroup. type: BPF_PROG_TYPE_*; attach: BPF_CGROUP_*, expected at loading too.
    sync bpf_attach(cgroup: String, type_: u32, attach: u32, program: Vec<u32>) -> ();
}

const BPF_PROG_LOAD: i32 = 5;
const BPF_PROG_ATTACH: i32 = 8;
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

fn bpf_attach(cgroup: String, type_: u32, attach: u32, program: Vec<u32>) -> Res<()> {
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
    let loaded = bpf(BPF_PROG_LOAD, &load).on("bpf BPF_PROG_LOAD", &cgroup)?;
    // SAFETY: the new descriptor is ours alone.
    let loaded = unsafe { OwnedFd::from_raw_fd(loaded) };
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

fn bpf<T>(command: i32, attributes: &T) -> Result<RawFd, Errno> {
    // SAFETY: both structs are prefixes of union bpf_attr, whose pointers outlive the call; the kernel takes any length.
    check(unsafe { libc::syscall(libc::SYS_bpf, command, attributes, size_of::<T>()) })
        .map(|value| value as RawFd)
}
