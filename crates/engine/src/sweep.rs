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

/// A script that has had no turn for that long is at rest: programs that end before it never collect.
const REST: Duration = Duration::from_millis(100);
/// From one collection to the next, as a multiple of what the last took: a program on a slow CPU (an emulated guest's needs 20 ms) shall
/// not spend more than a thirtieth of its time on collections.
const DELAY_FACTOR: u32 = 30;
/// From the program's start to the first collection: a program that lives on is worth one, not one that is still needed at once.
const QUIET_START: Duration = Duration::from_secs(1);
/// Less than this is not worth a collection, bytes: about what one request leaves.
const GROWTH: usize = 16 << 10;
/// The same while the script is not at rest: somebody may wait for an answer.
const BUSY_GROWTH: usize = 64 << 10;

/// Runs the script's jobs and futures until there are none, as `AsyncRuntime::idle` does, and collects garbage in between.
pub async fn idle(runtime: &AsyncRuntime, context: &AsyncContext) {
    let mut sweep = Sweep::of(context).await;
    let mut script = pin!(runtime.idle());
    let mut timer = pin!(sleep_until(Instant::now()));
    let mut armed = false;
    std::future::poll_fn(|context| {
        let fired = armed && timer.as_mut().poll(context).is_ready();
        // The timer's own turn is none of the script's: an idle program sleeps, once there is nothing to look after.
        sweep.busy |= !fired;
        let more = !fired || sweep.look();
        armed &= !fired;
        let polled = script.as_mut().poll(context);
        if polled.is_pending() && !armed && more {
            armed = true;
            timer.as_mut().reset(sweep.next_look());
            // Parks our waker. It cannot be over yet, and if it is, the waker has been told.
            let _: Poll<()> = timer.as_mut().poll(context);
        }
        polled
    })
    .await;
}

struct Sweep {
    heap: *mut qjs::JSRuntime,
    /// What the process had from the allocator after the last collection, or less.
    floor: usize,
    /// No look before that.
    not_before: Instant,
    /// The script has had a turn since the last look.
    busy: bool,
}

impl Sweep {
    async fn of(context: &AsyncContext) -> Self {
        let heap = context
            // SAFETY: the context is alive, and so is its runtime for as long as the program runs.
            .async_with(async |ctx| unsafe { qjs::JS_GetRuntime(ctx.as_raw().as_ptr()) })
            .await;
        Self {
            heap,
            floor: used(),
            not_before: Instant::now() + QUIET_START,
            busy: false,
        }
    }

    fn next_look(&self) -> Instant {
        self.not_before.max(Instant::now() + REST)
    }

    /// Collects what is worth it. Returns whether to look again.
    fn look(&mut self) -> bool {
        let busy = std::mem::take(&mut self.busy);
        self.floor = self.floor.min(used());
        if used() - self.floor >= if busy { BUSY_GROWTH } else { GROWTH } {
            let begun = Instant::now();
            // SAFETY: the runtime is alive, and no script runs: this thread is its only one, and is here.
            unsafe { qjs::JS_RunGC(self.heap) };
            self.not_before = Instant::now() + DELAY_FACTOR * begun.elapsed();
            self.floor = used();
        }
        kata_sys::release_unused_buffers() || busy
    }
}

/// Bytes that the process has from the allocator, without large blocks, which are bulk data's (`settle_allocator`) and no garbage.
fn used() -> usize {
    // SAFETY: takes no pointer.
    unsafe { libc::mallinfo2() }.uordblks
}
