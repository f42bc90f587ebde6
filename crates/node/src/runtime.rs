//! The thread that waits: tokio on one thread of our own. It polls futures, it never calls Node, forks or changes what
//! belongs to a thread (namespaces, the parent-death signal).

use std::sync::OnceLock;
use tokio::runtime::Handle;

static HANDLE: OnceLock<Handle> = OnceLock::new();

/// The running runtime; the thread starts at the first use, and ends with the process.
pub fn handle() -> &'static Handle {
    HANDLE.get_or_init(start)
}

fn start() -> Handle {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_io()
        .enable_time()
        .build()
        .expect("epoll and eventfd, which Node needs itself");
    let handle = runtime.handle().clone();
    std::thread::Builder::new()
        .name("kata-ops".into())
        .spawn(move || {
            block_signals();
            runtime.block_on(std::future::pending::<()>());
        })
        .expect("a thread");
    handle
}

/// Signals are for Node's threads.
fn block_signals() {
    // SAFETY: the set is plain data that sigfillset fills, and outlives the call.
    unsafe {
        let mut all = std::mem::zeroed();
        libc::sigfillset(&raw mut all);
        libc::pthread_sigmask(libc::SIG_BLOCK, &raw const all, std::ptr::null_mut());
    }
}
