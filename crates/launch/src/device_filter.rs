//! Device rules of cgroup v2: a BPF program that the kernel asks (bpf(2), linux/bpf.h).

use crate::sys::*;

const BPF_PROG_LOAD: i32 = 5;
const BPF_PROG_ATTACH: i32 = 8;
const BPF_PROG_TYPE_CGROUP_DEVICE: u32 = 15;
const BPF_CGROUP_DEVICE: u32 = 6;
const BPF_F_ALLOW_MULTI: u32 = 2;

/// The start of union bpf_attr for BPF_PROG_LOAD.
#[repr(C)]
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
}

/// And for BPF_PROG_ATTACH.
#[repr(C)]
struct Attach {
    target: u32,
    program: u32,
    kind: u32,
    flags: u32,
}

/// Attaches a program, given as two words an instruction, to a cgroup, which keeps it.
pub fn attach(cgroup: &str, words: &[u32]) -> Result<()> {
    let load = Load {
        kind: BPF_PROG_TYPE_CGROUP_DEVICE,
        instructions: (words.len() / 2) as u32,
        program: words.as_ptr() as u64,
        license: c"Apache-2.0".as_ptr() as u64,
        log_level: 0,
        log_size: 0,
        log: 0,
        kernel_version: 0,
        flags: 0,
    };
    let program = bpf(BPF_PROG_LOAD, &load).or_else(|failure| fail_at(failure.errno, "load"))?;
    let target = open(cgroup, libc::O_RDONLY | libc::O_DIRECTORY)?;
    let attach = Attach {
        target: target as u32,
        program: program as u32,
        kind: BPF_CGROUP_DEVICE,
        flags: BPF_F_ALLOW_MULTI,
    };
    let attached = bpf(BPF_PROG_ATTACH, &attach);
    close(target);
    close(program);
    attached.map(|_| ())
}

fn bpf<T>(command: i32, attributes: &T) -> Result<i32> {
    // SAFETY: both structs are prefixes of union bpf_attr, whose pointers outlive the call; the kernel takes any length.
    check(unsafe { libc::syscall(libc::SYS_bpf, command, attributes, size_of::<T>()) })
        .map(|value| value as i32)
}
