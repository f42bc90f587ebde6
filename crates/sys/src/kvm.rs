//! Whether KVM really runs a guest: /dev/kvm opens under nested set-ups whose KVM then fails on the first instruction.

use crate::error::{Context, Res, check};
use crate::table::{ops, wire};
use rustix::io::Errno;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd, RawFd};

wire! {}

ops! {
    /// Creates a VM with one vCPU and runs a few instructions; false when the kernel's KVM cannot run them. ENOENT/EACCES of /dev/kvm throw.
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

    // include/uapi/linux/kvm.h
    const KVM_GET_API_VERSION: u64 = 0xae00;
    const KVM_CREATE_VM: u64 = 0xae01;
    const KVM_GET_VCPU_MMAP_SIZE: u64 = 0xae04;
    const KVM_CREATE_VCPU: u64 = 0xae41;
    const KVM_SET_USER_MEMORY_REGION: u64 = 0x4020_ae46;
    const KVM_SET_TSS_ADDR: u64 = 0xae47;
    const KVM_RUN: u64 = 0xae80;
    const KVM_GET_REGS: u64 = 0x8090_ae81;
    const KVM_SET_REGS: u64 = 0x4090_ae82;
    const KVM_GET_SREGS: u64 = 0x8138_ae83;
    const KVM_SET_SREGS: u64 = 0x4138_ae84;
    const API_VERSION: i64 = 12;
    const KVM_EXIT_IO: u32 = 2;
    const EXIT_REASON: usize = 8;

    /// rax += rbx, three instructions of 64-bit code: protected mode with paging is what broken KVMs fail at.
    /// 48 01 d8 add rax, rbx; e6 10 out 0x10, al; f4 hlt
    const CODE: [u8; 6] = [0x48, 0x01, 0xd8, 0xe6, 0x10, 0xf4];
    const PAGE: usize = 4096;
    const MEMORY: usize = 16 * PAGE;
    const CODE_AT: usize = PAGE;
    const TABLES_AT: usize = 2 * PAGE;

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
        memory.write(CODE_AT, &CODE);
        // Identity map of the first 2 MiB: one entry in each of three tables, present, writable; the last a large page.
        memory.write(TABLES_AT, &((TABLES_AT + PAGE) as u64 | 3).to_le_bytes());
        memory.write(
            TABLES_AT + PAGE,
            &((TABLES_AT + 2 * PAGE) as u64 | 3).to_le_bytes(),
        );
        memory.write(TABLES_AT + 2 * PAGE, &0x83u64.to_le_bytes());
        // kvm_userspace_memory_region: slot u32, flags u32, guest address, size, our address.
        let region: [u64; 4] = [0, 0, MEMORY as u64, memory.0 as u64];
        ioctl(&vm, KVM_SET_USER_MEMORY_REGION, (&raw const region) as u64)?;
        let vcpu = owned(ioctl(&vm, KVM_CREATE_VCPU, 0)?);
        set_registers(&vcpu)?;
        let size = ioctl(kvm, KVM_GET_VCPU_MMAP_SIZE, 0)? as usize;
        let run = Mapping::new(size, vcpu.as_raw_fd(), libc::MAP_SHARED)?;
        ioctl(&vcpu, KVM_RUN, 0)?;
        // SAFETY: kvm_run begins with 8 bytes of requests, then the exit reason.
        let reason = unsafe { run.0.add(EXIT_REASON).cast::<u32>().read_volatile() };
        let mut registers = [0u64; 18];
        ioctl(&vcpu, KVM_GET_REGS, (&raw mut registers) as u64)?;
        Ok(reason == KVM_EXIT_IO && registers[0] == 42)
    }

    fn set_registers(vcpu: &OwnedFd) -> Result<(), Errno> {
        // kvm_sregs is 312 bytes: cs at 0, ds 24, es 48, fs 72, gs 96, ss 120 …, cr0 at 224, cr3 240, cr4 248, efer 264.
        let mut system = [0u8; 312];
        ioctl(vcpu, KVM_GET_SREGS, (&raw mut system) as u64)?;
        for (segment, code) in [
            (0, true),
            (24, false),
            (48, false),
            (72, false),
            (96, false),
            (120, false),
        ] {
            // kvm_segment: base u64, limit u32, selector u16, type, present, dpl, db, s, l, g, avl, unusable, padding.
            let kind = if code { 11 } else { 3 };
            let selector = if code { 8u16 } else { 16 };
            let mut fields = [0u8; 24];
            fields[8..12].copy_from_slice(&u32::MAX.to_le_bytes());
            fields[12..14].copy_from_slice(&selector.to_le_bytes());
            fields[14..21].copy_from_slice(&[kind, 1, 0, u8::from(!code), 1, u8::from(code), 1]);
            system[segment..segment + 24].copy_from_slice(&fields);
        }
        let mut put =
            |at: usize, value: u64| system[at..at + 8].copy_from_slice(&value.to_le_bytes());
        put(224, 0x8005_0033); // cr0: PG, AM, WP, NE, ET, MP, PE
        put(240, TABLES_AT as u64); // cr3
        put(248, 0x20); // cr4: PAE
        put(264, 0x500); // efer: LMA, LME
        ioctl(vcpu, KVM_SET_SREGS, (&raw const system) as u64)?;
        // kvm_regs: rax rbx rcx rdx rsi rdi rsp rbp r8-r15 rip rflags
        let mut registers = [0u64; 18];
        registers[0] = 40;
        registers[1] = 2;
        registers[16] = CODE_AT as u64;
        registers[17] = 2;
        ioctl(vcpu, KVM_SET_REGS, (&raw const registers) as u64)?;
        Ok(())
    }
}
