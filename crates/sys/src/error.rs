use crate::errno::ERRNO;

/// What an op fails with: becomes a SysError in TypeScript.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OpError {
    /// Linux errno; 0 when the op itself broke.
    pub errno: i32,
    /// The system call, or the op where it makes several.
    pub syscall: &'static str,
    /// What the call was about; empty: nothing that has a name.
    pub path: String,
    /// The reason in words where it is not the errno's own.
    pub text: Option<String>,
}

pub type Res<T> = Result<T, OpError>;

impl OpError {
    pub fn new(errno: i32, syscall: &'static str) -> Self {
        Self {
            errno,
            syscall,
            path: String::new(),
            text: None,
        }
    }

    /// An argument that is not what the op's declaration says.
    pub fn argument(name: &str, expected: &str) -> Self {
        Self {
            text: Some(format!("argument {name}: expected {expected}")),
            ..Self::new(libc::EINVAL, "op")
        }
    }

    /// A panic inside an op.
    pub fn broken(op: &'static str, text: String) -> Self {
        Self {
            text: Some(text),
            ..Self::new(0, op)
        }
    }

    /// "ENOENT"; "EPANIC" for a broken op; "E999" for an errno without a name.
    pub fn code(&self) -> String {
        match ERRNO.get(self.errno as usize) {
            _ if self.errno == 0 => "EPANIC".into(),
            Some((name, _)) if !name.is_empty() => (*name).into(),
            _ => format!("E{}", self.errno),
        }
    }

    /// `open /x: ENOENT: no such file or directory`
    pub fn message(&self) -> String {
        let own = ERRNO.get(self.errno as usize).map_or("", |(_, text)| text);
        let text = self.text.as_deref().unwrap_or(own);
        let space = if self.path.is_empty() { "" } else { " " };
        format!(
            "{}{space}{}: {}: {text}",
            self.syscall,
            self.path,
            self.code()
        )
    }
}

/// Names the failed call.
pub trait Context<T> {
    fn call(self, syscall: &'static str) -> Res<T>;
    fn on(self, syscall: &'static str, path: &str) -> Res<T>;
}

impl<T> Context<T> for Result<T, rustix::io::Errno> {
    fn call(self, syscall: &'static str) -> Res<T> {
        self.map_err(|errno| OpError::new(errno.raw_os_error(), syscall))
    }

    fn on(self, syscall: &'static str, path: &str) -> Res<T> {
        self.map_err(|errno| OpError {
            path: path.into(),
            ..OpError::new(errno.raw_os_error(), syscall)
        })
    }
}

/// Result of a libc call that returns -1 and sets errno.
pub fn check(result: impl Into<i64>) -> Result<i64, rustix::io::Errno> {
    let result = result.into();
    if result < 0 {
        Err(last_errno())
    } else {
        Ok(result)
    }
}

/// errno of the last libc call.
pub fn last_errno() -> rustix::io::Errno {
    let errno = std::io::Error::last_os_error().raw_os_error();
    rustix::io::Errno::from_raw_os_error(errno.unwrap_or(libc::EIO))
}
