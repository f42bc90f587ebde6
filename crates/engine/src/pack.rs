//! The bundles packed behind the engine's ELF image by scripts/bundle.mjs.
//!
//! Layout, from the end of the file: 24 bytes (magic "KATAPACK", offset and length of the index, u64 little-endian), before
//! it the index, one line a name: `name code-offset code-length map-offset map-length` (decimal, offsets from the start of
//! the file), before it the blobs. Code begins at a page, to be mapped. Only what is asked for is read.

use std::fs::File;
use std::io::{Error, ErrorKind, Result};
use std::os::fd::{AsRawFd, FromRawFd};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::FileExt;
use std::sync::OnceLock;

const MAGIC: &[u8; 8] = b"KATAPACK";
const TRAILER: u64 = 24;

/// One program's bundle.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bundle {
    code: (u64, u64),
    map: (u64, u64),
}

static IMAGE: OnceLock<(File, Bundle)> = OnceLock::new();

/// Our own program file: by /proc, or where that is not mounted yet (PID 1) by the path it was started by.
fn open_image() -> Result<File> {
    let file = File::open("/proc/self/exe").or_else(|error| {
        File::open(std::path::Path::new(std::ffi::OsStr::from_bytes(execfn()))).map_err(|_| error)
    })?;
    Ok(file)
}

/// The path we were started by. From the C library, which has the auxiliary vector from the stack: rustix asks for it by a
/// prctl of Linux 6.4 or by /proc, and panics where there is neither.
fn execfn() -> &'static [u8] {
    // SAFETY: AT_EXECFN is the address of a string at the top of the stack, there for as long as the process (getauxval(3)).
    unsafe {
        match libc::getauxval(libc::AT_EXECFN) {
            0 => b"",
            at => std::ffi::CStr::from_ptr(at as *const std::ffi::c_char).to_bytes(),
        }
    }
}

/// Out of the low numbers, which belong to the descriptors that a program inherits.
fn moved_up(file: File) -> Result<File> {
    const FLOOR: i32 = 48; // below 64: the kernel's table need not grow
    // SAFETY: no pointer.
    match unsafe { libc::fcntl(file.as_raw_fd(), libc::F_DUPFD_CLOEXEC, FLOOR) } {
        -1 => Err(Error::last_os_error()),
        // SAFETY: the new descriptor is ours alone.
        fd => Ok(unsafe { File::from_raw_fd(fd) }),
    }
}

fn index(file: &File) -> Result<String> {
    let bad = || {
        Error::new(
            ErrorKind::InvalidData,
            "no bundles behind the engine: run scripts/bundle.mjs",
        )
    };
    let size = file.metadata()?.len();
    let mut trailer = [0; TRAILER as usize];
    file.read_exact_at(&mut trailer, size.checked_sub(TRAILER).ok_or_else(bad)?)?;
    let (magic, place) = trailer.split_at(MAGIC.len());
    let number = |at: usize| {
        place[at..at + 8]
            .iter()
            .rev()
            .fold(0, |number, byte| number << 8 | u64::from(*byte))
    };
    let (offset, len) = (number(0), number(8));
    if magic != MAGIC || offset.checked_add(len).is_none_or(|end| end > size) {
        return Err(bad());
    }
    let mut index = vec![0; len as usize];
    file.read_exact_at(&mut index, offset)?;
    String::from_utf8(index).map_err(|_| bad())
}

/// The line of `name`.
fn find(index: &str, name: &str) -> Option<Bundle> {
    let line = index
        .lines()
        .find_map(|line| line.strip_prefix(name)?.strip_prefix(' '))?;
    let mut numbers = line.split(' ').map_while(|number| number.parse().ok());
    let mut next = || numbers.next();
    Some(Bundle {
        code: (next()?, next()?),
        map: (next()?, next()?),
    })
}

/// Finds a program's bundle; None: there is no such program.
pub fn select(name: &str) -> Result<Option<Bundle>> {
    let file = moved_up(open_image()?)?;
    let bundle = find(&index(&file)?, name);
    if let Some(bundle) = bundle {
        let _ = IMAGE.set((file, bundle));
    }
    Ok(bundle)
}

/// The selected program's code, mapped while this lives.
pub struct Code(&'static [u8]);

impl Code {
    pub fn map() -> Result<Self> {
        let (file, bundle) = IMAGE.get().ok_or(ErrorKind::NotFound)?;
        let (offset, len) = bundle.code;
        let (read, private) = (rustix::mm::ProtFlags::READ, rustix::mm::MapFlags::PRIVATE);
        // SAFETY: a new private mapping, lent only for as long as it is there; program files are replaced, not written to.
        unsafe {
            let at = rustix::mm::mmap(
                std::ptr::null_mut(),
                len as usize,
                read,
                private,
                file,
                offset,
            )?;
            Ok(Self(std::slice::from_raw_parts(at.cast(), len as usize)))
        }
    }

    pub fn bytes(&self) -> &[u8] {
        self.0
    }
}

impl Drop for Code {
    fn drop(&mut self) {
        // SAFETY: our own mapping, lent to nobody any more.
        let _ = unsafe { rustix::mm::munmap(self.0.as_ptr().cast_mut().cast(), self.0.len()) };
    }
}

/// Reads the selected program's source map.
pub fn read_map() -> Option<String> {
    let (file, bundle) = IMAGE.get()?;
    let (offset, len) = bundle.map;
    let mut map = vec![0; len as usize];
    file.read_exact_at(&mut map, offset).ok()?;
    String::from_utf8(map).ok().filter(|map| !map.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    const INDEX: &str = "kata-agent 4096 100 5000 20\nkata-agentless 8192 1 0 0\n";

    #[test]
    fn finds_a_program_by_its_whole_name() {
        assert_eq!(
            find(INDEX, "kata-agentless"),
            Some(Bundle {
                code: (8192, 1),
                map: (0, 0)
            })
        );
        assert_eq!(
            find(INDEX, "kata-agent"),
            Some(Bundle {
                code: (4096, 100),
                map: (5000, 20)
            })
        );
    }

    #[test]
    fn finds_no_program_by_a_part_of_its_name() {
        assert_eq!(find(INDEX, "kata"), None);
        assert_eq!(find(INDEX, ""), None);
    }

    #[test]
    fn takes_no_line_that_lacks_a_number() {
        assert_eq!(find("x 1 2 3\n", "x"), None);
    }
}
