//! Promises: made on Node's thread, waited for on ours, settled on Node's again.

use crate::value::{Env, Made, Refused, check};
use crate::{Opaque, runtime};
use kata_sys::error::Res;
use kata_sys::table::Later;
use kata_sys::value::Value;
use napi_sys as sys;
use std::ffi::c_void;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

/// The way back to Node's thread. Pending promises keep the program alive, as those of Node's own modules do.
pub struct Promises {
    function: Opaque,
    /// Touched on Node's thread alone.
    pending: AtomicUsize,
    /// The environment is being torn down: the function may be gone. Touched on the waiting thread alone.
    closed: AtomicBool,
}

/// The outcome of a future on its way to Node's thread.
struct Settled {
    deferred: Opaque,
    promises: Arc<Promises>,
    outcome: Res<Value>,
}

impl Promises {
    pub fn new(env: Env) -> Made<Self> {
        let mut function = std::ptr::null_mut();
        let name = env.text("kata-ops")?;
        // SAFETY: no JavaScript function, no limit, one thread, no finalizer, no context; `settle` is called on Node's thread.
        check(unsafe {
            sys::napi_create_threadsafe_function(
                env.0,
                std::ptr::null_mut(),
                std::ptr::null_mut(),
                name,
                0,
                1,
                std::ptr::null_mut(),
                None,
                std::ptr::null_mut(),
                Some(settle),
                &raw mut function,
            )
        })?;
        // SAFETY: the function was just made. Until something is pending it keeps nothing alive.
        check(unsafe { sys::napi_unref_threadsafe_function(env.0, function) })?;
        Ok(Self {
            function: Opaque(function.cast()),
            pending: AtomicUsize::new(0),
            closed: AtomicBool::new(false),
        })
    }

    /// A promise for the future's outcome. The future is polled on the other thread alone: one that is always ready (a
    /// pump) would keep this one.
    pub fn promise(self: &Arc<Self>, env: Env, future: Later) -> Made<sys::napi_value> {
        let (mut deferred, mut promise) = (std::ptr::null_mut(), std::ptr::null_mut());
        // SAFETY: both are written.
        check(unsafe { sys::napi_create_promise(env.0, &raw mut deferred, &raw mut promise) })?;
        self.hold(env)?;
        let deferred = Opaque(deferred.cast());
        let promises = self.clone();
        runtime::handle().spawn(async move {
            let outcome = future.await;
            send(Settled {
                deferred,
                promises,
                outcome,
            });
        });
        Ok(promise)
    }

    fn hold(&self, env: Env) -> Made<()> {
        if self.pending.fetch_add(1, Ordering::Relaxed) > 0 {
            return Ok(());
        }
        // SAFETY: the function lives as long as the environment.
        check(unsafe { sys::napi_ref_threadsafe_function(env.0, self.function.0.cast()) })
    }

    fn release(&self, env: Env) -> Made<()> {
        if self.pending.fetch_sub(1, Ordering::Relaxed) > 1 {
            return Ok(());
        }
        // SAFETY: as above.
        check(unsafe { sys::napi_unref_threadsafe_function(env.0, self.function.0.cast()) })
    }
}

fn send(settled: Settled) {
    let promises = settled.promises.clone();
    // Node-API: a thread that was told of the closing must not use the function again.
    if promises.closed.load(Ordering::Relaxed) {
        return;
    }
    let data = Box::into_raw(Box::new(settled));
    // SAFETY: the queue is unbounded, so a refusal means that the environment closes; then the box is ours again.
    unsafe {
        let mode = sys::ThreadsafeFunctionCallMode::nonblocking;
        let function = promises.function.0.cast();
        if check(sys::napi_call_threadsafe_function(
            function,
            data.cast(),
            mode,
        ))
        .is_err()
        {
            promises.closed.store(true, Ordering::Relaxed);
            drop(Box::from_raw(data));
        }
    }
}

unsafe extern "C" fn settle(
    env: sys::napi_env,
    _function: sys::napi_value,
    _context: *mut c_void,
    data: *mut c_void,
) {
    // SAFETY: the data is what `send` boxed, once.
    let settled = unsafe { Box::from_raw(data.cast::<Settled>()) };
    if env.is_null() {
        // The environment is being torn down: nobody waits any more.
        return;
    }
    let env = Env(env);
    // A value that Node cannot make leaves an exception behind, which Node reports as uncaught.
    let _ = settle_now(env, settled.deferred.0.cast(), settled.outcome);
    let _ = settled.promises.release(env);
}

fn settle_now(env: Env, deferred: sys::napi_deferred, outcome: Res<Value>) -> Made<()> {
    let (value, resolved) = match outcome {
        Ok(value) => match env.to_js(value) {
            Ok(value) => (value, true),
            // No memory for the outcome: the waiter must not wait for ever.
            Err(Refused) => (env.take_exception()?, false),
        },
        Err(error) => (env.error(&error)?, false),
    };
    // SAFETY: a deferred is settled once, here.
    check(unsafe {
        if resolved {
            sys::napi_resolve_deferred(env.0, deferred, value)
        } else {
            sys::napi_reject_deferred(env.0, deferred, value)
        }
    })
}
