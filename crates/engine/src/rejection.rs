//! Promises that are rejected and that nobody handles: a defect, which ends the program (exit status 70).

use rquickjs::{Ctx, Function, Value};
use std::cell::RefCell;
use std::collections::HashSet;
use std::rc::Rc;

/// EX_SOFTWARE of sysexits.h.
pub const EXIT_BROKEN: i32 = 70;

/// The tracker for `AsyncRuntime::set_host_promise_rejection_tracker`.
pub fn tracker() -> rquickjs::runtime::RejectionTracker {
    let unhandled = Rc::new(RefCell::new(HashSet::new()));
    Box::new(move |ctx, promise, reason, handled| {
        // SAFETY: only compared; the promise is kept alive below while its address is in the set.
        let address = unsafe { rquickjs::qjs::JS_VALUE_GET_PTR(promise.as_raw()) } as usize;
        if handled {
            unhandled.borrow_mut().remove(&address);
            return;
        }
        unhandled.borrow_mut().insert(address);
        let later = {
            let (ctx, unhandled) = (ctx.clone(), unhandled.clone());
            async move {
                // Futures are polled once the script's jobs are done: whoever handles it has had its turn.
                let _alive = promise;
                if unhandled.borrow_mut().remove(&address) {
                    report(&ctx, reason);
                }
            }
        };
        ctx.spawn(later);
    })
}

/// Tells the script's own reporter (packages/sys, run-main.ts), which maps positions and exits; else prints it as it is.
pub fn report<'js>(ctx: &Ctx<'js>, reason: Value<'js>) {
    if let Ok(reporter) = ctx
        .globals()
        .get::<_, Function<'js>>("__unhandledRejection")
    {
        let _ = reporter.call::<_, ()>((reason.clone(),));
    }
    let text = reason
        .as_exception()
        .map_or_else(|| format!("{reason:?}"), ToString::to_string);
    eprintln!("{}: {text}", crate::program());
    std::process::exit(EXIT_BROKEN);
}
