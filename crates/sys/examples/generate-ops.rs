//! Writes the TypeScript face of the op table to the file given.

fn main() -> std::io::Result<()> {
    let path = std::env::args()
        .nth(1)
        .ok_or(std::io::ErrorKind::InvalidInput)?;
    std::fs::write(path, kata_sys::typescript::generate())
}
