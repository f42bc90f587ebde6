//! The op table for Node.js: an addon (Node-API 4, Node 20 and newer) over the very table that QuickJS gets. It knows no
//! op.
//!
//! Ops run on Node's main thread: a parent-death signal is tied to the thread that spawned the child, and libuv's own
//! threads come and go. What waits is polled by one thread of ours (see [`runtime`]), which only ever sees readiness.
//! Ops that concern the whole process are refused: it is the host program's.

#![warn(clippy::undocumented_unsafe_blocks)]

mod promise;
mod runtime;
mod value;

use kata_sys::error::{OpError, Res};
use kata_sys::table::{Op, Outcome, camel};
use napi_sys as sys;
use promise::Promises;
use std::ffi::{CString, c_void};
use std::sync::Arc;
use value::{Env, Made};

/// Most arguments an op takes.
const MAX_ARGS: usize = 8;

/// What a function of the addon is bound to.
struct Bound {
    op: &'static Op,
    promises: Arc<Promises>,
}

/// Called by Node when it loads the addon: puts every op on `exports`.
#[unsafe(no_mangle)]
extern "C" fn napi_register_module_v1(
    env: sys::napi_env,
    exports: sys::napi_value,
) -> sys::napi_value {
    let env = Env(env);
    if register(env, exports).is_err() {
        env.throw_refused("cannot load the addon: it needs Node.js's main thread");
    }
    exports
}

fn register(env: Env, exports: sys::napi_value) -> Made<()> {
    // A worker's children would die with it (parent-death signal), and its descriptors outlive it.
    // SAFETY: no pointers.
    if unsafe { libc::gettid() != libc::getpid() } {
        return Err(value::Refused);
    }
    kata_sys::table::keep_panics();
    let promises = Arc::new(Promises::new(env)?);
    for op in kata_sys::ops() {
        let name = CString::new(camel(op.name)).map_err(|_| value::Refused)?;
        // Lives as long as the process, as the function may.
        let bound = Box::leak(Box::new(Bound {
            op,
            promises: promises.clone(),
        }));
        let function = env.function(&name, call, std::ptr::from_mut(bound).cast())?;
        env.set(exports, &name, function)?;
    }
    Ok(())
}

/// What a script calls. A null answer: an exception is pending.
unsafe extern "C" fn call(env: sys::napi_env, info: sys::napi_callback_info) -> sys::napi_value {
    let env = Env(env);
    answer(env, info).unwrap_or_else(|_| {
        env.throw_refused("Node.js could not take or make a value of a native op");
        std::ptr::null_mut()
    })
}

fn answer(env: Env, info: sys::napi_callback_info) -> Made<sys::napi_value> {
    let mut args = [std::ptr::null_mut(); MAX_ARGS];
    let (given, data) = env.arguments(info, &mut args)?;
    // SAFETY: the data is what `register` bound, and is never freed.
    let Bound { op, promises } = unsafe { &*data.cast::<Bound>() };
    let args = given
        .iter()
        .map(|arg| env.to_wire(*arg))
        .collect::<Made<Vec<_>>>()?;
    match run(op, args) {
        Outcome::Now(Ok(value)) => env.to_js(value),
        Outcome::Now(Err(error)) => {
            env.throw(&error)?;
            Ok(std::ptr::null_mut())
        }
        Outcome::Later(future) => promises.promise(env, future),
    }
}

fn run(op: &'static Op, args: Vec<kata_sys::value::Value>) -> Outcome {
    if op.own {
        return Outcome::Now(refuse(op));
    }
    let _context = runtime::handle().enter();
    op.run(args)
}

fn refuse(op: &'static Op) -> Res<kata_sys::value::Value> {
    Err(OpError {
        text: Some("concerns the whole process, which is the host program's".into()),
        ..OpError::new(libc::EOPNOTSUPP, op.name)
    })
}

/// A pointer that another thread may hand back, and does not look into.
struct Opaque(*mut c_void);

// SAFETY: nothing behind it is touched but by Node's thread-safe function, or on Node's thread.
unsafe impl Send for Opaque {}
// SAFETY: as above.
unsafe impl Sync for Opaque {}
