//! When, where and before whom a process runs.

use crate::sys::*;

/// sched_setattr(2).
#[derive(Default)]
pub struct Scheduler {
    pub policy: u32,
    pub flags: u64,
    pub nice: i32,
    pub priority: u32,
    pub runtime: u64,
    pub deadline: u64,
    pub period: u64,
}

/// struct sched_attr, its first version.
#[repr(C)]
struct Attributes {
    size: u32,
    policy: u32,
    flags: u64,
    nice: i32,
    priority: u32,
    runtime: u64,
    deadline: u64,
    period: u64,
}

pub fn scheduler(step: &Scheduler) -> Result<()> {
    let attributes = Attributes {
        size: size_of::<Attributes>() as u32,
        policy: step.policy,
        flags: step.flags,
        nice: step.nice,
        priority: step.priority,
        runtime: step.runtime,
        deadline: step.deadline,
        period: step.period,
    };
    check(unsafe { libc::syscall(libc::SYS_sched_setattr, 0, &attributes, 0) })?;
    Ok(())
}

/// ioprio_set(2) for this process.
pub fn io_priority(class: u32, priority: u32) -> Result<()> {
    const IOPRIO_WHO_PROCESS: i32 = 1;
    const IOPRIO_CLASS_SHIFT: u32 = 13;
    let value = (class << IOPRIO_CLASS_SHIFT) | priority;
    check(unsafe { libc::syscall(libc::SYS_ioprio_set, IOPRIO_WHO_PROCESS, 0, value) })?;
    Ok(())
}

/// No CPU is every one: the kernel leaves out those that are not there, and those that the cpuset does not allow.
pub fn affinity(cpus: &[u32]) -> Result<()> {
    const MOST_CPUS: u32 = 8192;
    let Some(last) = cpus.iter().max() else {
        return affinity(&(0..MOST_CPUS).collect::<Vec<_>>());
    };
    let words = *last as usize / u64::BITS as usize + 1;
    let mut mask = vec![0u64; words];
    for cpu in cpus {
        mask[*cpu as usize / u64::BITS as usize] |= 1 << (cpu % u64::BITS);
    }
    check(unsafe {
        libc::syscall(
            libc::SYS_sched_setaffinity,
            0,
            words * size_of::<u64>(),
            mask.as_ptr(),
        )
    })?;
    Ok(())
}
