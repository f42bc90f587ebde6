//! Every program of ours: QuickJS, the op table, and the bundle that argv[0]'s name picks (a hard link a program).
//!
//! Run as `kata-engine compile <in.js> <out.bytecode>` it is the build's compiler.

#![warn(clippy::undocumented_unsafe_blocks)]
// Rust's own start would look for the stack's end in /proc/self/maps, install handlers and poll the descriptors: a tenth of what
// the shortest command takes. What we need of it is in `main`, which the C library calls.
#![cfg_attr(not(test), no_main)]
#![cfg_attr(test, allow(dead_code))]

mod bind;
mod pack;
mod rejection;
mod sweep;

use rquickjs::{
    AsyncContext, AsyncRuntime, CatchResultExt, CaughtError, Ctx, Module, WriteOptions,
};

/// Most memory a script may use; an allocation beyond it throws. A program of ours needs a few megabytes.
const MEMORY_LIMIT: usize = 256 << 20;
/// Garbage cycles are looked for when this much is allocated, whatever the script does; before that by sweep.rs.
const GC_THRESHOLD: usize = 4 << 20;
/// Deepest script stack, of the 8 MiB a process has.
const STACK_LIMIT: usize = 1 << 20;
/// EX_USAGE of sysexits.h: there is no program of that name.
const EXIT_NO_PROGRAM: i32 = 64;
/// Name of the module in stacks: packages/sys maps positions in it.
const MODULE: &str = "bundle";

/// The name we were run by: it picks the bundle.
fn bundle() -> String {
    let path = std::env::args_os().next().unwrap_or_default();
    kata_sys::engine::base_name(&path.to_string_lossy()).to_owned()
}

/// The name that messages begin with: that of the program the user has called, whichever of its bundles runs.
fn program() -> String {
    match bundle() {
        name if ["kata-create", "kata-host"].contains(&&*name) => "kata-runtime".to_owned(),
        name => name,
    }
}

#[cfg(not(test))]
#[unsafe(no_mangle)]
extern "C" fn main() -> i32 {
    open_missing_stdio();
    // SAFETY: before any other thread exists. A reader that is gone is an error of the write.
    unsafe { libc::signal(libc::SIGPIPE, libc::SIG_IGN) };
    kata_sys::table::keep_panics();
    settle_allocator();
    // A panic outside of any op: tokio's, when it cannot wake itself.
    let outcome = std::panic::catch_unwind(run)
        .unwrap_or_else(|_| Err(kata_sys::table::last_panic().replace('\n', " ").into()));
    match outcome {
        Ok(status) => status,
        Err(error) => {
            eprintln!("{}: {error}", program());
            rejection::EXIT_BROKEN
        }
    }
}

/// A caller may have closed our standard descriptors: then what we open first would be taken for one of them.
fn open_missing_stdio() {
    for fd in 0..=2 {
        // SAFETY: takes no pointer but a literal; what is opened is left open, as `fd`.
        unsafe {
            if libc::fcntl(fd, libc::F_GETFD) == -1
                && libc::open(c"/dev/null".as_ptr(), libc::O_RDWR) != fd
            {
                libc::abort();
            }
        }
    }
}

/// Large blocks come from and go back to the system at once: bulk data must not leave its size behind (mallopt(3)).
fn settle_allocator() {
    const LARGE: i32 = 128 << 10;
    // SAFETY: before any other thread exists.
    unsafe {
        libc::mallopt(libc::M_MMAP_THRESHOLD, LARGE);
        libc::mallopt(libc::M_TRIM_THRESHOLD, LARGE);
        libc::mallopt(libc::M_ARENA_MAX, 1);
    }
}

fn run() -> Result<i32, Box<dyn std::error::Error>> {
    let name = bundle();
    let compile = if name == "kata-engine" {
        std::env::args_os().skip(1).collect()
    } else {
        Vec::new()
    };
    if compile.is_empty() && pack::select(&name)?.is_none() {
        eprintln!(
            "{name}: no program of that name here (the name this file is run by picks the program)"
        );
        return Ok(EXIT_NO_PROGRAM);
    }
    kata_sys::engine::provide_source_map(pack::read_map);
    let tokio = tokio::runtime::Builder::new_current_thread()
        .enable_io()
        .enable_time()
        .build()?;
    tokio.block_on(async {
        let runtime = AsyncRuntime::new()?;
        runtime.set_memory_limit(MEMORY_LIMIT).await;
        runtime.set_gc_threshold(GC_THRESHOLD).await;
        runtime.set_max_stack_size(STACK_LIMIT).await;
        runtime
            .set_host_promise_rejection_tracker(Some(rejection::tracker()))
            .await;
        let context = AsyncContext::full(&runtime).await?;
        let outcome = context
            .async_with(async |ctx| match &*compile {
                [] => start(&ctx).await,
                [verb, from, to] if verb == "compile" => {
                    compile_module(&ctx, from.as_ref(), to.as_ref())
                }
                _ => Err("usage: kata-engine compile <in.js> <out.bytecode>".into()),
            })
            .await;
        outcome?;
        if !compile.is_empty() {
            return Ok(0);
        }
        sweep::idle(&runtime, &context).await;
        // A program ends by ops.exit(): packages/sys, run-main.ts.
        Err("nothing left to wait for, and the program has not ended".into())
    })
}

type Outcome = Result<(), Box<dyn std::error::Error>>;

/// Evaluates the program's module: starts it.
async fn start(ctx: &Ctx<'_>) -> Outcome {
    bind::register(ctx)?;
    let code = pack::Code::map()?;
    // SAFETY: bytecode that our own compiler made, of this very engine (scripts/bundle.mjs); QuickJS copies it.
    let module = unsafe { Module::load(ctx.clone(), code.bytes()) };
    drop(code);
    let evaluated = async { module?.eval()?.1.into_future::<()>().await };
    evaluated
        .await
        .catch(ctx)
        .map_err(|error| match error {
            CaughtError::Exception(exception) => {
                rejection::report(ctx, exception.into_object().into_value())
            }
            CaughtError::Value(value) => rejection::report(ctx, value),
            CaughtError::Error(_) => {}
        })
        .map_err(|()| "cannot evaluate the bundle".into())
}

fn compile_module(ctx: &Ctx<'_>, from: &std::path::Path, to: &std::path::Path) -> Outcome {
    let module = Module::declare(ctx.clone(), MODULE, std::fs::read(from)?)
        .catch(ctx)
        .map_err(|error| error.to_string())?;
    let code = module.write(WriteOptions {
        strip_source: true,
        ..WriteOptions::default()
    })?;
    Ok(std::fs::write(to, code)?)
}
