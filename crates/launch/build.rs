//! How kata-launch is linked: a container's start may copy all of it into sealed memory, so its size is promised (SPECIFICATION.md, `disk`).

fn main() {
    println!("cargo:rerun-if-changed=discard-unwind.ld");
    // A test program unwinds: only what is shipped does not.
    if std::env::var("PROFILE").as_deref() != Ok("release") {
        return;
    }
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/discard-unwind.ld");
    for option in [
        // Relocations as a bitmap (DT_RELR; glibc 2.36): 2 KB for 40.
        "-z,pack-relative-relocs",
        // No tables for unwinding: 92 KB. `main` lets no panic through, so one ends the program either way.
        "--no-eh-frame-hdr",
        &format!("-T,{script}"),
    ] {
        println!("cargo:rustc-link-arg-bins=-Wl,{option}");
    }
}
