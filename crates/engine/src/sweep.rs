//! Garbage that reference counts miss, collected while the script waits; and buffers of bulk data that are used no more.
//!
//! QuickJS looks for cycles of its own accord only when its heap is half as large again as it was after the last time:
//! hundreds of requests' garbage, which a program that runs for weeks would hold as resident memory. A collection takes half
//! a millisecond of our programs' heaps, so it is done soon after the script has run, when nobody waits for it.

use rquickjs::{AsyncContext, AsyncRuntime, qjs};
use std::future::Future;
use std::pin::pin;
use std::task::Poll;
use std::time::Duration;
use tokio::time::{Instant, sleep_until};

/// From the script's first turn after a collection to the next: programs that end before it never collect, and a busy one
/// does so ten times a second at most.
const DELAY: Duration = Duration::from_millis(100);
/// The same as a multiple of what the last collection took: a busy program on a slow CPU (an emulated guest's needs 20 ms) shall not
/// spend more than a fiftieth of its time on collections.
const DELAY_FACTOR: u32 = 50;
/// From the program's start to the first collection: a program that lives on is worth one, not one that is still needed at once.
const QUIET_START: Duration = Duration::from_secs(1);
/// Less than this is not worth a collection, bytes: about what one request leaves.
const GROWTH: usize = 16 << 10;

/// Runs the script's jobs and futures until there are none, as `AsyncRuntime::idle` does, and collects garbage in between.
pub async fn idle(runtime: &AsyncRuntime, context: &AsyncContext) {
    let heap = context
        // SAFETY: the context is alive, and so is its runtime for as long as we borrow that.
        .async_with(async |ctx| unsafe { qjs::JS_GetRuntime(ctx.as_raw().as_ptr()) })
        .await;
    let mut script = pin!(runtime.idle());
    let mut timer = pin!(sleep_until(Instant::now()));
    let mut armed = false;
    let mut floor = used();
    let mut delay = DELAY;
    let start_over = Instant::now() + QUIET_START;
    std::future::poll_fn(|context| {
        let fired = armed && timer.as_mut().poll(context).is_ready();
        let mut more = !fired;
        if fired {
            armed = false;
            more = kata_sys::release_unused_buffers();
            floor = floor.min(used());
            if used() - floor >= GROWTH {
                let begun = Instant::now();
                // SAFETY: the runtime is alive, and no script runs: this thread is its only one, and is here.
                unsafe { qjs::JS_RunGC(heap) };
                delay = DELAY.max(DELAY_FACTOR * begun.elapsed());
                floor = used();
            }
        }
        let polled = script.as_mut().poll(context);
        // The timer's own turn is none of the script's: an idle program sleeps, once its buffers are gone.
        if polled.is_pending() && !armed && more {
            armed = true;
            timer.as_mut().reset(start_over.max(Instant::now() + delay));
            // Parks our waker. It cannot be over yet, and if it is, the waker has been told.
            let _: Poll<()> = timer.as_mut().poll(context);
        }
        polled
    })
    .await;
}

/// Bytes that the process has from the allocator.
fn used() -> usize {
    // SAFETY: takes no pointer.
    let heap = unsafe { libc::mallinfo2() };
    heap.uordblks + heap.hblkhd
}
