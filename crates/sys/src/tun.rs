//! Taps: network interfaces whose other end is a descriptor (Documentation/networking/tuntap.rst).

use crate::error::{Context, OpError, Res, check};
use crate::table::{ops, wire};

wire! {}

ops! {
    /// Makes a tap of an open /dev/net/tun, in this thread's network namespace: frames with a virtio-net header, no packet information. It goes with its last descriptor. EBUSY: the name is taken.
    sync tap_create(fd: i32, name: String) -> ();
}

// include/uapi/linux/if_tun.h
const TUNSETIFF: libc::c_ulong = 0x4004_54ca;
const IFF_TAP: libc::c_short = 0x0002;
const IFF_NO_PI: libc::c_short = 0x1000;
const IFF_VNET_HDR: libc::c_short = 0x4000;
const IFF_TUN_EXCL: libc::c_short = 0x8000_u16 as libc::c_short;

fn tap_create(fd: i32, name: String) -> Res<()> {
    // SAFETY: ifreq is plain data.
    let mut request: libc::ifreq = unsafe { std::mem::zeroed() };
    if name.is_empty() || name.len() >= request.ifr_name.len() || name.contains(['\0', '%']) {
        return Err(OpError::argument("name", "a network interface's name"));
    }
    for (to, from) in request.ifr_name.iter_mut().zip(name.as_bytes()) {
        *to = *from as libc::c_char;
    }
    request.ifr_ifru.ifru_flags = IFF_TAP | IFF_NO_PI | IFF_VNET_HDR | IFF_TUN_EXCL;
    // SAFETY: the kernel reads and writes one ifreq, which outlives the call.
    check(unsafe { libc::ioctl(fd, TUNSETIFF, &raw mut request) }).on("ioctl TUNSETIFF", &name)?;
    Ok(())
}
