//! vhost-vsock: the guest's address on the kernel's vsock.

use crate::error::{Context, Res, check};
use crate::table::{ops, wire};

wire! {}

ops! {
    /// Gives an open /dev/vhost-vsock the guest's context id. EADDRINUSE: another guest has it; EINVAL: none that a guest may have.
    sync vhost_vsock_set_cid(fd: i32, cid: u32) -> ();
}

/// VHOST_VSOCK_SET_GUEST_CID of include/uapi/linux/vhost.h: _IOW(0xaf, 0x60, __u64).
const SET_GUEST_CID: libc::c_ulong = 0x4008_af60;

fn vhost_vsock_set_cid(fd: i32, cid: u32) -> Res<()> {
    let cid = u64::from(cid);
    // SAFETY: the kernel reads one u64, which outlives the call.
    check(unsafe { libc::ioctl(fd, SET_GUEST_CID, &raw const cid) })
        .on("ioctl", &format!("vhost-vsock cid {cid}"))?;
    Ok(())
}
