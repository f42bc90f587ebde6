//! The guest of the KVM probe: the first steps of every kernel. Real mode, protected mode, paging, long mode; control
//! registers, MSRs, CPUID, SSE, string operations. KVMs that are not complete emulate some of it, or nothing.

/// Size of the guest's memory, all of which the image fills.
pub const MEMORY: usize = 0x1_0000;
/// Where the first instruction is, in real mode with all segments at 0.
pub const START: usize = 0x1000;

const DESCRIPTOR_POINTER: usize = 0x17f8;
const DESCRIPTORS: usize = 0x1800;
const TABLES: usize = 0x2000;
const PAGE: usize = 0x1000;

#[rustfmt::skip]
const REAL: &[u8] = &[
    0xfa,                               // cli
    0x0f, 0x01, 0x16, 0xf8, 0x17,       // lgdt [0x17f8]
    0x0f, 0x20, 0xc0,                   // mov eax, cr0
    0x0c, 0x01,                         // or al, 1 (PE)
    0x0f, 0x22, 0xc0,                   // mov cr0, eax
    0x66, 0xea, 0x16, 0x10, 0, 0, 8, 0, // jmp 8:0x1016, the next instruction
];

#[rustfmt::skip]
const PROTECTED: &[u8] = &[
    0x66, 0xb8, 0x10, 0,                // mov ax, 0x10
    0x8e, 0xd8,                         // mov ds, ax
    0x8e, 0xc0,                         // mov es, ax
    0x8e, 0xd0,                         // mov ss, ax
    0x0f, 0x20, 0xe0,                   // mov eax, cr4
    0x0d, 0x20, 0x02, 0, 0,             // or eax, 0x220 (PAE, OSFXSR)
    0x0f, 0x22, 0xe0,                   // mov cr4, eax
    0xb8, 0, 0x20, 0, 0,                // mov eax, 0x2000
    0x0f, 0x22, 0xd8,                   // mov cr3, eax
    0xb9, 0x80, 0, 0, 0xc0,             // mov ecx, 0xc0000080 (EFER)
    0x0f, 0x32,                         // rdmsr
    0x0d, 0, 0x01, 0, 0,                // or eax, 0x100 (LME)
    0x0f, 0x30,                         // wrmsr
    0x0f, 0x20, 0xc0,                   // mov eax, cr0
    0x0d, 0, 0, 0, 0x80,                // or eax, 0x80000000 (PG)
    0x0f, 0x22, 0xc0,                   // mov cr0, eax
    0xea, 0x53, 0x10, 0, 0, 0x18, 0,    // jmp 0x18:0x1053, the next instruction
];

#[rustfmt::skip]
const LONG: &[u8] = &[
    0xbc, 0, 0x80, 0, 0,                // mov esp, 0x8000
    0x31, 0xc0,                         // xor eax, eax
    0x0f, 0xa2,                         // cpuid
    0x0f, 0x01, 0xf8,                   // swapgs
    0x0f, 0x57, 0xc0,                   // xorps xmm0, xmm0
    0x0f, 0x29, 0x04, 0x25, 0, 0x90, 0, 0, // movaps [0x9000], xmm0
    0xbf, 0, 0xa0, 0, 0,                // mov edi, 0xa000
    0xb9, 0, 0x01, 0, 0,                // mov ecx, 0x100
    0xf3, 0xaa,                         // rep stosb
    0x6a, 0x28,                         // push 40
    0x58,                               // pop rax
    0xbb, 2, 0, 0, 0,                   // mov ebx, 2
    0x48, 0x01, 0xd8,                   // add rax, rbx
    0xe6, 0x10,                         // out 0x10, al: the end, with 42
    0xf4,                               // hlt
];

/// The guest's memory.
pub fn image() -> Vec<u8> {
    let mut memory = vec![0; MEMORY];
    let mut put = |at: usize, bytes: &[u8]| memory[at..at + bytes.len()].copy_from_slice(bytes);
    put(START, &[REAL, PROTECTED, LONG].concat());
    put(DESCRIPTOR_POINTER, &[31, 0, 0, 0x18, 0, 0]);
    let descriptors: [u64; 4] = [
        0,
        0x00cf_9b00_0000_ffff,
        0x00cf_9300_0000_ffff,
        0x00af_9b00_0000_ffff,
    ];
    for (index, descriptor) in descriptors.iter().enumerate() {
        put(DESCRIPTORS + 8 * index, &descriptor.to_le_bytes());
    }
    // Identity map of the first 2 MiB: one entry in each of three tables, present, writable; the last a large page.
    put(TABLES, &((TABLES + PAGE) as u64 | 3).to_le_bytes());
    put(
        TABLES + PAGE,
        &((TABLES + 2 * PAGE) as u64 | 3).to_le_bytes(),
    );
    put(TABLES + 2 * PAGE, &0x83u64.to_le_bytes());
    memory
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::process::{Command, Stdio};

    #[test]
    fn jumps_go_to_the_next_instruction() {
        assert_eq!(START + REAL.len(), 0x1016);
        assert_eq!(START + REAL.len() + PROTECTED.len(), 0x1053);
        assert_eq!(image().len(), MEMORY);
    }

    /// A whole CPU, QEMU's, comes to the end; a KVM that does not is not whole.
    #[test]
    fn a_whole_cpu_runs_it_to_its_end() {
        let qemu = "/usr/bin/qemu-system-x86_64";
        if !std::path::Path::new(qemu).exists() {
            return;
        }
        let dir = std::env::temp_dir().join(format!("kvm-guest-{}", std::process::id()));
        std::fs::create_dir_all(&dir).unwrap();
        std::fs::write(dir.join("memory"), image()).unwrap();
        let mut bios = vec![0xf4; 0x1_0000];
        bios[0xfff0..0xfff5].copy_from_slice(&[0xea, 0, 0x10, 0, 0]); // jmp 0:0x1000
        std::fs::write(dir.join("bios"), bios).unwrap();
        let status = Command::new("timeout")
            .args([
                "20",
                qemu,
                "-machine",
                "pc",
                "-accel",
                "tcg",
                "-m",
                "16",
                "-nodefaults",
                "-display",
                "none",
            ])
            .args([
                "-device",
                "isa-debug-exit,iobase=0x10,iosize=1",
                "-no-reboot",
                "-bios",
            ])
            .arg(dir.join("bios"))
            .arg("-device")
            .arg(format!(
                "loader,file={},addr=0,force-raw=on",
                dir.join("memory").display()
            ))
            .stdin(Stdio::null())
            .status()
            .unwrap();
        std::fs::remove_dir_all(&dir).unwrap();
        // isa-debug-exit: status is 2 * value + 1.
        assert_eq!(status.code(), Some(2 * 42 + 1));
    }
}
