//! The op table: what a script cannot do by itself, one operation a system call. An op never decides, retries or logs;
//! it does one thing and returns a value or an errno. See [`table`] for how one is declared, and packages/sys for the
//! TypeScript face.

#![warn(clippy::undocumented_unsafe_blocks)]

mod block;
mod bpf;
pub mod engine;
mod errno;
pub mod error;
mod fs;
mod inet;
mod kvm;
#[cfg(target_arch = "x86_64")]
mod kvm_guest;
mod mount;
mod netlink;
mod process;
mod reactor;
mod socket;
mod spare;
mod spawn;
mod stream;
pub mod table;
mod terminal;
mod tun;
#[cfg(feature = "types")]
pub mod typescript;
pub mod value;
mod vhost;

pub use spare::release_unused as release_unused_buffers;

use table::Op;

/// A domain's name, its ops, and the declarations of its types.
#[cfg(feature = "types")]
type Domain = (&'static str, &'static [Op], &'static [fn() -> String]);
#[cfg(not(feature = "types"))]
type Domain = (&'static str, &'static [Op]);

macro_rules! domains {
    ($($domain:ident),*) => {
        /// Every op, one domain a file.
        pub const DOMAINS: &[Domain] = &[$(
            (stringify!($domain), $domain::OPS, #[cfg(feature = "types")] $domain::TYPES)
        ),*];
    };
}
domains!(
    engine, process, spawn, fs, mount, stream, block, socket, inet, netlink, tun, bpf, terminal,
    kvm, vhost
);

/// Every op.
pub fn ops() -> impl Iterator<Item = &'static Op> {
    DOMAINS.iter().flat_map(|domain| domain.1)
}
