//! One declaration of an op, many uses: [`ops!`] yields entries that an engine's binding registers (QuickJS's, Node's)
//! and that the TypeScript interface is generated from.

use crate::error::{OpError, Res};
use crate::value::{FromValue, Value};
use std::future::Future;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::sync::Mutex;
use std::task::{Context, Poll};

pub type Later = Pin<Box<dyn Future<Output = Res<Value>> + Send>>;

/// What an op answers: at once, or a future. What the future works on is taken hold of before it is returned, so that
/// a `close` or `cancel` right after the call reaches it.
pub enum Outcome {
    Now(Res<Value>),
    Later(Later),
}

/// An op's arguments, taken one by one.
pub struct Args(std::vec::IntoIter<Value>);

impl Args {
    pub fn new(values: Vec<Value>) -> Self {
        Self(values.into_iter())
    }

    pub fn take<T: FromValue>(&mut self, name: &str) -> Res<T> {
        T::from_value(self.0.next().unwrap_or(Value::Nothing), name)
    }
}

/// An op's entry in the table.
pub struct Op {
    /// As in Rust; see [`camel`].
    pub name: &'static str,
    pub call: fn(Args) -> Outcome,
    /// Concerns the whole process or the thread it runs on: only for a program of our own, no host program (Node.js).
    pub own: bool,
    #[cfg(feature = "types")]
    pub declaration: fn() -> String,
}

impl Op {
    /// Calls the op. A panic inside becomes an error.
    pub fn run(&'static self, args: Vec<Value>) -> Outcome {
        match catch_unwind(AssertUnwindSafe(|| (self.call)(Args::new(args)))) {
            Ok(Outcome::Later(future)) => Outcome::Later(Box::pin(Caught {
                op: self.name,
                future,
            })),
            Ok(Outcome::Now(Err(error))) => Outcome::Now(Err(named(self.name, error))),
            Ok(now) => now,
            Err(_) => Outcome::Now(Err(OpError::broken(self.name, last_panic()))),
        }
    }
}

/// An argument's error knows not yet whose argument it is.
fn named(op: &'static str, error: OpError) -> OpError {
    if error.syscall == "op" {
        OpError {
            syscall: op,
            ..error
        }
    } else {
        error
    }
}

/// A future whose panics become errors.
struct Caught {
    op: &'static str,
    future: Later,
}

impl Future for Caught {
    type Output = Res<Value>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let op = self.op;
        catch_unwind(AssertUnwindSafe(|| self.future.as_mut().poll(context)))
            .unwrap_or_else(|_| Poll::Ready(Err(OpError::broken(op, last_panic()))))
            .map_err(|error| named(op, error))
    }
}

static LAST_PANIC: Mutex<String> = Mutex::new(String::new());

/// Keeps a panic's text and place for the error it becomes, instead of printing it. For the program's own engine.
pub fn keep_panics() {
    std::panic::set_hook(Box::new(|panic| {
        let text = panic.payload_as_str().unwrap_or("panic");
        let place = panic.location().map_or(String::new(), |at| {
            format!(" at {}:{}", at.file(), at.line())
        });
        if let Ok(mut last) = LAST_PANIC.lock() {
            *last = format!("{text}{place}");
        }
    }));
}

/// The text and place of the panic that was kept last.
pub fn last_panic() -> String {
    LAST_PANIC
        .lock()
        .map_or_else(|_| "panic".into(), |mut last| std::mem::take(&mut *last))
}

/// `open_tree` as it is called in TypeScript: `openTree`.
pub fn camel(name: &str) -> String {
    let mut words = name.split('_');
    let mut camel = words.next().unwrap_or("").to_owned();
    for word in words {
        let (first, rest) = word.split_at(1.min(word.len()));
        camel += &first.to_uppercase();
        camel += rest;
    }
    camel
}

/// A field's name without the mark that makes a Rust keyword one.
pub(crate) fn plain(name: &'static str) -> &'static str {
    name.strip_prefix("r#").unwrap_or(name)
}

/// Whether an op of this kind is for a program of our own alone.
pub(crate) const fn is_own(kind: &str) -> bool {
    matches!(kind.as_bytes(), b"own")
}

/// Declares a file's ops: `sync` ones return `Res<T>`, `own` ones too ([`Op::own`]), `later` ones `Res<impl Future<Output = Res<T>> + Send>`.
/// The functions are in the same file, by the same names.
macro_rules! ops {
    ($($(#[doc = $doc:literal])* $kind:ident $name:ident ( $($arg:ident : $type:ty),* ) -> $result:ty;)*) => {
        pub(crate) const OPS: &[$crate::table::Op] = &[$(
            $crate::table::Op {
                name: stringify!($name),
                call: |args| $crate::table::ops!(@$kind args $name ($($arg: $type),*) $result),
                own: $crate::table::is_own(stringify!($kind)),
                #[cfg(feature = "types")]
                declaration: || {
                    let docs: &[&str] = &[$($doc),*];
                    let args: &[String] = &[$(format!(
                        "{}: {}", $crate::table::camel(stringify!($arg)), <$type as $crate::value::Typed>::typescript()
                    )),*];
                    let result = <$result as $crate::value::Typed>::typescript();
                    $crate::typescript::method(stringify!($name), stringify!($kind), docs, args, &result)
                },
            },
        )*];
    };
    (@own $($op:tt)*) => { $crate::table::ops!(@sync $($op)*) };
    (@sync $args:ident $name:ident ($($arg:ident : $type:ty),*) $result:ty) => {{
        let run = |args: &mut $crate::table::Args| -> $crate::error::Res<$result> {
            let _ = &args; // an op may have none
            $(let $arg: $type = args.take(stringify!($arg))?;)*
            $name($($arg),*)
        };
        let mut args = $args;
        $crate::table::Outcome::Now(run(&mut args).map($crate::value::IntoValue::into_value))
    }};
    (@later $args:ident $name:ident ($($arg:ident : $type:ty),*) $result:ty) => {{
        let start = |args: &mut $crate::table::Args| {
            let _ = &args; // an op may have none
            $(let $arg: $type = args.take(stringify!($arg))?;)*
            $name($($arg),*)
        };
        let mut args = $args;
        match start(&mut args) {
            Ok(future) => $crate::table::Outcome::Later(Box::pin(async move {
                let result: $result = future.await?;
                Ok($crate::value::IntoValue::into_value(result))
            })),
            Err(error) => $crate::table::Outcome::Later(Box::pin(std::future::ready(Err(error)))),
        }
    }};
}
pub(crate) use ops;

/// Declares structs that cross; fields carry their TypeScript names.
macro_rules! wire {
    ($($(#[doc = $doc:literal])* pub struct $name:ident { $($(#[doc = $field_doc:literal])* pub $field:ident : $type:ty),* $(,)? })*) => { $(
        $(#[doc = $doc])*
        #[allow(non_snake_case)]
        #[derive(Debug, Clone, Default, PartialEq)]
        pub struct $name { $($(#[doc = $field_doc])* pub $field: $type),* }

        impl $crate::value::FromValue for $name {
            #[allow(non_snake_case)]
            fn from_value(value: $crate::value::Value, name: &str) -> $crate::error::Res<Self> {
                let $crate::value::Value::Record(fields) = value else {
                    return Err($crate::error::OpError::argument(name, stringify!($name)));
                };
                $(let mut $field = $crate::value::Value::Nothing;)*
                for (key, value) in fields {
                    $(if key == $crate::table::plain(stringify!($field)) { $field = value; continue; })*
                }
                Ok(Self { $($field: $crate::value::FromValue::from_value($field, $crate::table::plain(stringify!($field)))?),* })
            }
        }

        impl $crate::value::IntoValue for $name {
            fn into_value(self) -> $crate::value::Value {
                $crate::value::Value::Record(vec![
                    $(($crate::table::plain(stringify!($field)).into(), $crate::value::IntoValue::into_value(self.$field))),*
                ])
            }
        }

        #[cfg(feature = "types")]
        impl $crate::value::Typed for $name {
            fn typescript() -> String {
                stringify!($name).into()
            }
        }
    )*
        #[cfg(feature = "types")]
        pub(crate) const TYPES: &[fn() -> String] = &[$(|| $crate::typescript::record(
            stringify!($name),
            &[$($doc),*],
            &[$(($crate::table::plain(stringify!($field)), &[$($field_doc),*], <$type as $crate::value::Typed>::typescript())),*],
        )),*];
    };
}
pub(crate) use wire;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_camel_cased_for_typescript() {
        assert_eq!(camel("open_tree"), "openTree");
        assert_eq!(camel("utf8_encode"), "utf8Encode");
        assert_eq!(camel("sync"), "sync");
        assert_eq!(camel("type_"), "type");
    }

    #[test]
    fn no_name_is_declared_twice() {
        let mut names: Vec<_> = crate::ops().map(|op| op.name).collect();
        names.sort_unstable();
        let all = names.len();
        names.dedup();
        assert_eq!(names.len(), all);
    }

    #[test]
    fn an_op_that_lacks_an_argument_is_an_error_that_names_both() {
        let open = crate::ops().find(|op| op.name == "open").unwrap();
        let Outcome::Now(Err(error)) = open.run(vec![Value::Text("/".into())]) else {
            panic!("expected an error");
        };
        assert_eq!((error.syscall, error.code().as_str()), ("open", "EINVAL"));
        assert!(error.message().contains("argument flags"));
    }

    #[test]
    fn a_panic_at_the_call_and_one_while_the_op_is_awaited_are_its_errors() {
        let find = |name| crate::ops().find(|op| op.name == name).unwrap();
        let Outcome::Now(Err(error)) = find("break_op").run(vec![]) else {
            panic!("expected an error");
        };
        assert_eq!(
            (error.syscall, error.code().as_str()),
            ("break_op", "EPANIC")
        );
        let Outcome::Later(mut pending) = find("break_op_later").run(vec![]) else {
            panic!("expected a future");
        };
        let mut context = Context::from_waker(std::task::Waker::noop());
        // It gives way once: the panic comes at the second poll.
        assert_eq!(pending.as_mut().poll(&mut context), Poll::Pending);
        let Poll::Ready(Err(error)) = pending.as_mut().poll(&mut context) else {
            panic!("expected an error");
        };
        assert_eq!(
            (error.syscall, error.code().as_str()),
            ("break_op_later", "EPANIC")
        );
    }
}
