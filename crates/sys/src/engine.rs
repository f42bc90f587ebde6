//! What a script asks of the engine itself.

use crate::error::{Context, OpError, Res};
use crate::table::{ops, wire};
use crate::value::Bytes;
use std::collections::BTreeMap;
use std::future::Future;
use std::sync::{Mutex, OnceLock};
use std::task::{Poll, Waker};
use std::time::{Duration, Instant, SystemTime};

wire! {
    /// What {@link Ops.tsc} reads.
    pub struct TscSample { pub ticks: f64, pub ms: f64 }
    /// Memory of this process, from /proc/self/status and smaps_rollup.
    pub struct MemoryUse { pub rssKb: u64, pub peakRssKb: u64, pub pssKb: u64 }
}

ops! {
    /// argv, [0] = the program's name
    sync args() -> Vec<String>;
    /// "NAME=value"
    sync env() -> Vec<String>;
    own exit(code: i32) -> ();
    /// CLOCK_MONOTONIC
    sync monotonic_ms() -> f64;
    /// The CPU's time-stamp counter and CLOCK_MONOTONIC (ms) of one moment; ENODEV on a CPU without one.
    sync tsc() -> TscSample;
    /// Clock of the day, ms since the epoch.
    sync realtime_ms() -> f64;
    sync utf8_encode(text: String) -> Bytes;
    /// Wrong bytes become U+FFFD.
    sync utf8_decode(bytes: Bytes) -> String;
    /// getrandom(2)
    sync random(len: u32) -> Bytes;
    sync sha256(bytes: Bytes) -> Bytes;
    sync memory_use() -> MemoryUse;
    /// Source map of this program's bundle (JSON), read on demand; ENODATA when there is none.
    sync source_map() -> String;
    /// Resolves after ms, or at once when cancelled: true = elapsed, false = cancelled. `id` is the caller's, unique while pending.
    later sleep(id: u32, ms: f64) -> bool;
    sync sleep_cancel(id: u32) -> ();
    /// Panics: for the test that a broken op is an error and no crash.
    sync break_op() -> ();
    /// As breakOp, but while it is awaited.
    later break_op_later() -> ();
}

/// The file name part of a path.
pub fn base_name(path: &str) -> &str {
    path.rsplit('/').next().unwrap_or(path)
}

fn args() -> Res<Vec<String>> {
    let mut args: Vec<String> = std::env::args_os()
        .map(|arg| arg.to_string_lossy().into_owned())
        .collect();
    if let Some(name) = args.first_mut() {
        *name = base_name(name).to_owned();
    }
    Ok(args)
}

fn env() -> Res<Vec<String>> {
    let vars = std::env::vars_os();
    Ok(vars
        .map(|(name, value)| format!("{}={}", name.to_string_lossy(), value.to_string_lossy()))
        .collect())
}

fn exit(code: i32) -> Res<()> {
    std::process::exit(code)
}

fn clock(id: rustix::time::ClockId) -> f64 {
    let time = rustix::time::clock_gettime(id);
    time.tv_sec as f64 * 1e3 + time.tv_nsec as f64 / 1e6
}

fn monotonic_ms() -> Res<f64> {
    Ok(clock(rustix::time::ClockId::Monotonic))
}

#[cfg(target_arch = "x86_64")]
fn tsc() -> Res<TscSample> {
    /// We may be interrupted between the two clocks: the sample that took least is taken.
    const ATTEMPTS: usize = 8;
    // SAFETY: reads a counter that every x86-64 CPU has; Linux lets programs read it (prctl(2), PR_SET_TSC).
    let ticks = || unsafe { core::arch::x86_64::_rdtsc() };
    let sample = |_| {
        let before = ticks();
        let ms = clock(rustix::time::ClockId::Monotonic);
        let took = ticks().wrapping_sub(before);
        (
            took,
            TscSample {
                ticks: (before + took / 2) as f64,
                ms,
            },
        )
    };
    let best = (0..ATTEMPTS).map(sample).min_by_key(|(took, _)| *took);
    best.map(|(_, sample)| sample)
        .ok_or_else(|| OpError::new(libc::ENODEV, "tsc"))
}

#[cfg(not(target_arch = "x86_64"))]
fn tsc() -> Res<TscSample> {
    Err(OpError::new(libc::ENODEV, "tsc"))
}

fn realtime_ms() -> Res<f64> {
    Ok(SystemTime::now()
        .duration_since(SystemTime::UNIX_EPOCH)
        .map_or(0.0, |time| time.as_secs_f64() * 1e3))
}

fn utf8_encode(text: String) -> Res<Bytes> {
    Ok(Bytes(text.into_bytes()))
}

fn utf8_decode(bytes: Bytes) -> Res<String> {
    Ok(String::from_utf8(bytes.0)
        .unwrap_or_else(|wrong| String::from_utf8_lossy(wrong.as_bytes()).into_owned()))
}

fn random(len: u32) -> Res<Bytes> {
    let mut bytes = crate::spare::zeros(len as usize).call("getrandom")?;
    let mut filled = 0;
    while filled < bytes.len() {
        filled +=
            rustix::rand::getrandom(&mut bytes[filled..], rustix::rand::GetRandomFlags::empty())
                .call("getrandom")?;
    }
    Ok(Bytes(bytes))
}

fn sha256(bytes: Bytes) -> Res<Bytes> {
    use sha2::Digest;
    Ok(Bytes(sha2::Sha256::digest(&bytes.0).to_vec()))
}

fn memory_use() -> Res<MemoryUse> {
    let status = crate::fs::read_to_string("/proc/self/status")?;
    let rollup = crate::fs::read_to_string("/proc/self/smaps_rollup").unwrap_or_default();
    Ok(MemoryUse {
        rssKb: kilobytes(&status, "VmRSS:"),
        peakRssKb: kilobytes(&status, "VmHWM:"),
        pssKb: kilobytes(&rollup, "Pss:"),
    })
}

fn kilobytes(text: &str, key: &str) -> u64 {
    let line = text.lines().find_map(|line| line.strip_prefix(key));
    line.and_then(|rest| rest.split_whitespace().next()?.parse().ok())
        .unwrap_or(0)
}

static SOURCE_MAP: OnceLock<fn() -> Option<String>> = OnceLock::new();

/// How this engine gets the running program's source map.
pub fn provide_source_map(read: fn() -> Option<String>) {
    let _ = SOURCE_MAP.set(read);
}

fn source_map() -> Res<String> {
    let read = SOURCE_MAP.get().and_then(|read| read());
    read.ok_or_else(|| OpError::new(libc::ENODATA, "sourceMap"))
}

/// Pending sleeps: a cancelled one is taken out, its waker is in its place until then.
static SLEEPS: Mutex<BTreeMap<u32, Option<Waker>>> = Mutex::new(BTreeMap::new());

fn sleeps() -> std::sync::MutexGuard<'static, BTreeMap<u32, Option<Waker>>> {
    SLEEPS
        .lock()
        .unwrap_or_else(std::sync::PoisonError::into_inner)
}

/// A timer cannot be set further: about 68 years.
const MAX_SLEEP_MS: f64 = 2_147_483_647_000.0;

fn sleep(id: u32, ms: f64) -> Res<impl Future<Output = Res<bool>> + Send> {
    let until = Instant::now() + Duration::from_secs_f64(ms.clamp(0.0, MAX_SLEEP_MS) / 1e3);
    sleeps().insert(id, None);
    Ok(async move {
        let mut timer = std::pin::pin!(tokio::time::sleep_until(until.into()));
        std::future::poll_fn(|context| {
            match sleeps().get_mut(&id) {
                None => return Poll::Ready(Ok(false)),
                Some(waker) => *waker = Some(context.waker().clone()),
            }
            if timer.as_mut().poll(context).is_pending() {
                return Poll::Pending;
            }
            sleeps().remove(&id);
            Poll::Ready(Ok(true))
        })
        .await
    })
}

fn sleep_cancel(id: u32) -> Res<()> {
    let cancelled = sleeps().remove(&id);
    if let Some(Some(waker)) = cancelled {
        waker.wake();
    }
    Ok(())
}

fn break_op() -> Res<()> {
    panic!("a broken op")
}

fn break_op_later() -> Res<impl Future<Output = Res<()>> + Send> {
    Ok(async {
        tokio::task::yield_now().await;
        break_op()
    })
}
