//! Whether KVM really runs a guest: /dev/kvm opens under nested set-ups whose KVM then fails on the first instruction.

use crate::error::{Context, Res, check};
use crate::table::{ops, wire};
use rustix::io::Errno;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd, RawFd};

wire! {}

ops! {
    /// Creates a VM with one vCPU and goes the way of a booting kernel, from real to long mode; false when the kernel's KVM cannot. ENOENT/EACCES of /dev/kvm throw.
    sync kvm_probe() -> bool;
}

fn kvm_probe() -> Res<bool> {
    let flags = libc::O_RDWR | libc::O_CLOEXEC;
    // SAFETY: the path is a C string; the new descriptor is ours alone.
    let kvm = unsafe {
        OwnedFd::from_raw_fd(
            check(libc::open(c"/dev/kvm".as_ptr(), flags)).on("open", "/dev/kvm")? as RawFd,
        )
    };
    probe::runs(&kvm)
        .or_else(|errno| {
            if errno == Errno::ACCESS {
                Err(errno)
            } else {
                Ok(false)
            }
        })
        .call("KVM_RUN")
}

#[cfg(not(target_arch = "x86_64"))]
mod probe {
    use super::{Errno, OwnedFd};

    /// No probe yet: opening /dev/kvm has to do.
    pub fn runs(_kvm: &OwnedFd) -> Result<bool, Errno> {
        Ok(true)
    }
}

#[cfg(target_arch = "x86_64")]
mod probe {
    use super::{AsRawFd, Errno, FromRawFd, OwnedFd, RawFd, check};
    use crate::kvm_guest::{MEMORY, START, image};
    use std::time::Duration;

    // include/uapi/linux/kvm.h
    const KVM_GET_API_VERSION: u64 = 0xae00;
    const KVM_CREATE_VM: u64 = 0xae01;
    const KVM_GET_VCPU_MMAP_SIZE: u64 = 0xae04;
    const KVM_GET_SUPPORTED_CPUID: u64 = 0xc008_ae05;
    const KVM_CREATE_VCPU: u64 = 0xae41;
    const KVM_SET_USER_MEMORY_REGION: u64 = 0x4020_ae46;
    const KVM_SET_TSS_ADDR: u64 = 0xae47;
    const KVM_RUN: u64 = 0xae80;
    const KVM_GET_REGS: u64 = 0x8090_ae81;
    const KVM_SET_REGS: u64 = 0x4090_ae82;
    const KVM_GET_SREGS: u64 = 0x8138_ae83;
    const KVM_SET_SREGS: u64 = 0x4138_ae84;
    const KVM_SET_SIGNAL_MASK: u64 = 0x4004_ae8b;
    const KVM_SET_CPUID2: u64 = 0x4008_ae90;
    const API_VERSION: i64 = 12;
    const KVM_EXIT_IO: u32 = 2;
    const EXIT_REASON: usize = 8;

    /// The guest needs microseconds; a KVM that does not make progress is broken.
    const LIMIT: Duration = Duration::from_millis(500);

    fn ioctl(fd: &OwnedFd, request: u64, argument: u64) -> Result<i64, Errno> {
        // SAFETY: callers pass a number, or the address of plain data of the size that is in the request.
        check(unsafe { libc::ioctl(fd.as_raw_fd(), request, argument) })
    }

    fn owned(fd: i64) -> OwnedFd {
        // SAFETY: KVM has made it for us.
        unsafe { OwnedFd::from_raw_fd(fd as RawFd) }
    }

    struct Mapping(*mut u8, usize);

    impl Mapping {
        fn new(len: usize, fd: RawFd, flags: i32) -> Result<Self, Errno> {
            // SAFETY: a new mapping of our own.
            let at = unsafe {
                libc::mmap(
                    std::ptr::null_mut(),
                    len,
                    libc::PROT_READ | libc::PROT_WRITE,
                    flags,
                    fd,
                    0,
                )
            };
            if at == libc::MAP_FAILED {
                Err(super::super::error::last_errno())
            } else {
                Ok(Self(at.cast(), len))
            }
        }

        fn write(&self, at: usize, bytes: &[u8]) {
            assert!(at + bytes.len() <= self.1);
            // SAFETY: inside the mapping (asserted).
            unsafe { std::ptr::copy_nonoverlapping(bytes.as_ptr(), self.0.add(at), bytes.len()) };
        }
    }

    impl Drop for Mapping {
        fn drop(&mut self) {
            // SAFETY: maps nothing that is used any more.
            unsafe { libc::munmap(self.0.cast(), self.1) };
        }
    }

    pub fn runs(kvm: &OwnedFd) -> Result<bool, Errno> {
        if ioctl(kvm, KVM_GET_API_VERSION, 0)? != API_VERSION {
            return Ok(false);
        }
        let vm = owned(ioctl(kvm, KVM_CREATE_VM, 0)?);
        ioctl(&vm, KVM_SET_TSS_ADDR, 0xfffb_d000)?;
        let memory = Mapping::new(MEMORY, -1, libc::MAP_PRIVATE | libc::MAP_ANONYMOUS)?;
        memory.write(0, &image());
        // kvm_userspace_memory_region: slot u32, flags u32, guest address, size, our address.
        let region: [u64; 4] = [0, 0, MEMORY as u64, memory.0 as u64];
        ioctl(&vm, KVM_SET_USER_MEMORY_REGION, (&raw const region) as u64)?;
        let vcpu = owned(ioctl(&vm, KVM_CREATE_VCPU, 0)?);
        set_cpuid(kvm, &vcpu)?;
        set_registers(&vcpu)?;
        let size = ioctl(kvm, KVM_GET_VCPU_MMAP_SIZE, 0)? as usize;
        let run = Mapping::new(size, vcpu.as_raw_fd(), libc::MAP_SHARED)?;
        if !run_within_limit(&vcpu)? {
            return Ok(false);
        }
        // SAFETY: kvm_run begins with 8 bytes of requests, then the exit reason.
        let reason = unsafe { run.0.add(EXIT_REASON).cast::<u32>().read_volatile() };
        let mut registers = [0u64; 18];
        ioctl(&vcpu, KVM_GET_REGS, (&raw mut registers) as u64)?;
        Ok(reason == KVM_EXIT_IO && registers[0] == 42)
    }

    /// The guest may use what the host has: without long mode in it, it could not enter that.
    fn set_cpuid(kvm: &OwnedFd, vcpu: &OwnedFd) -> Result<(), Errno> {
        // kvm_cpuid2: number of entries u32, padding u32, entries of 40 bytes.
        const ENTRIES: usize = 256;
        let mut cpuid = [0u32; 2 + ENTRIES * 10];
        cpuid[0] = ENTRIES as u32;
        ioctl(kvm, KVM_GET_SUPPORTED_CPUID, (&raw mut cpuid) as u64)?;
        ioctl(vcpu, KVM_SET_CPUID2, (&raw const cpuid) as u64)?;
        Ok(())
    }

    /// The state after a reset, but for the place of the first instruction.
    fn set_registers(vcpu: &OwnedFd) -> Result<(), Errno> {
        // kvm_sregs is 312 bytes; cs is first: base u64, limit u32, selector u16, …
        let mut system = [0u8; 312];
        ioctl(vcpu, KVM_GET_SREGS, (&raw mut system) as u64)?;
        system[..8].fill(0);
        system[12..14].fill(0);
        ioctl(vcpu, KVM_SET_SREGS, (&raw const system) as u64)?;
        // kvm_regs: rax rbx rcx rdx rsi rdi rsp rbp r8-r15 rip rflags
        let mut registers = [0u64; 18];
        registers[16] = START as u64;
        registers[17] = 2;
        ioctl(vcpu, KVM_SET_REGS, (&raw const registers) as u64)?;
        Ok(())
    }

    /// Runs the guest until it leaves; false when it does not in time.
    ///
    /// A signal that is blocked here, but not while the guest runs (KVM_SET_SIGNAL_MASK), ends KVM_RUN without ever being
    /// delivered: no handler, no other thread.
    fn run_within_limit(vcpu: &OwnedFd) -> Result<bool, Errno> {
        let alarm = Alarm::set(LIMIT)?;
        // kvm_signal_mask: length u32, then the kernel's set of 64 signals, here none.
        let mask = [8u32, 0, 0];
        ioctl(vcpu, KVM_SET_SIGNAL_MASK, (&raw const mask) as u64)?;
        let ended = ioctl(vcpu, KVM_RUN, 0);
        drop(alarm);
        match ended {
            Ok(_) => Ok(true),
            Err(Errno::INTR) => Ok(false),
            Err(errno) => Err(errno),
        }
    }

    /// A blocked SIGALRM for this thread, once, later. Ends with the value, with the signal and the mask as they were.
    struct Alarm {
        timer: libc::timer_t,
        mask: libc::sigset_t,
        only: libc::sigset_t,
    }

    impl Alarm {
        fn set(after: Duration) -> Result<Self, Errno> {
            // SAFETY: plain data that the calls fill in; all of it lives as long as the calls.
            unsafe {
                let mut only: libc::sigset_t = std::mem::zeroed();
                let mut mask: libc::sigset_t = std::mem::zeroed();
                libc::sigemptyset(&raw mut only);
                libc::sigaddset(&raw mut only, libc::SIGALRM);
                let mut event: libc::sigevent = std::mem::zeroed();
                event.sigev_notify = libc::SIGEV_THREAD_ID;
                event.sigev_signo = libc::SIGALRM;
                event.sigev_notify_thread_id = libc::gettid();
                let mut timer: libc::timer_t = std::ptr::null_mut();
                check(libc::timer_create(
                    libc::CLOCK_MONOTONIC,
                    &raw mut event,
                    &raw mut timer,
                ))?;
                libc::pthread_sigmask(libc::SIG_BLOCK, &raw const only, &raw mut mask);
                let alarm = Self { timer, mask, only };
                let mut time: libc::itimerspec = std::mem::zeroed();
                time.it_value.tv_sec = after.as_secs() as libc::time_t;
                time.it_value.tv_nsec = libc::c_long::from(after.subsec_nanos());
                check(libc::timer_settime(
                    timer,
                    0,
                    &raw const time,
                    std::ptr::null_mut(),
                ))?;
                Ok(alarm)
            }
        }
    }

    impl Drop for Alarm {
        fn drop(&mut self) {
            let now = libc::timespec {
                tv_sec: 0,
                tv_nsec: 0,
            };
            // SAFETY: the timer is ours; a pending signal is taken before the mask lets it through.
            unsafe {
                libc::timer_delete(self.timer);
                libc::sigtimedwait(&raw const self.only, std::ptr::null_mut(), &raw const now);
                libc::pthread_sigmask(
                    libc::SIG_SETMASK,
                    &raw const self.mask,
                    std::ptr::null_mut(),
                );
            }
        }
    }
}
