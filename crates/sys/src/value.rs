//! The values that cross between a script and an op, the same for every engine.
//! An engine's binding turns its own values into these and back; it knows no op.

use crate::error::{OpError, Res};

#[derive(Debug, Clone, PartialEq)]
pub enum Value {
    /// undefined or null
    Nothing,
    Bool(bool),
    Number(f64),
    Text(String),
    /// Uint8Array
    Bytes(Vec<u8>),
    List(Vec<Value>),
    Record(Vec<(Key, Value)>),
}

/// A record's field name: a constant on the way out, a string on the way in.
pub type Key = std::borrow::Cow<'static, str>;

/// A Rust type an op takes. `name` is the argument's or the field's, for the error.
pub trait FromValue: Sized {
    fn from_value(value: Value, name: &str) -> Res<Self>;
}

/// A Rust type an op returns.
pub trait IntoValue {
    fn into_value(self) -> Value;
}

/// A type's name in TypeScript.
#[cfg(feature = "types")]
pub trait Typed {
    fn typescript() -> String;
}

/// Bytes: Uint8Array in TypeScript.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Bytes(pub Vec<u8>);

impl FromValue for Bytes {
    fn from_value(value: Value, name: &str) -> Res<Self> {
        match value {
            Value::Bytes(bytes) => Ok(Self(bytes)),
            _ => Err(OpError::argument(name, "Uint8Array")),
        }
    }
}

impl FromValue for String {
    fn from_value(value: Value, name: &str) -> Res<Self> {
        match value {
            Value::Text(text) => Ok(text),
            _ => Err(OpError::argument(name, "string")),
        }
    }
}

impl FromValue for bool {
    fn from_value(value: Value, name: &str) -> Res<Self> {
        match value {
            Value::Bool(truth) => Ok(truth),
            _ => Err(OpError::argument(name, "boolean")),
        }
    }
}

impl FromValue for f64 {
    fn from_value(value: Value, name: &str) -> Res<Self> {
        match value {
            Value::Number(number) => Ok(number),
            _ => Err(OpError::argument(name, "number")),
        }
    }
}

/// Integers are JavaScript numbers without a fraction, in the type's range; 64-bit ones in the safe range.
fn integer(value: &Value, min: f64, max: f64, name: &str) -> Res<f64> {
    match value {
        Value::Number(number) if number.trunc() == *number && (min..=max).contains(number) => {
            Ok(*number)
        }
        _ => Err(OpError::argument(
            name,
            &format!("integer from {min} to {max}"),
        )),
    }
}

const MAX_SAFE_INTEGER: f64 = 9_007_199_254_740_991.0;

impl FromValue for i32 {
    fn from_value(value: Value, name: &str) -> Res<Self> {
        Ok(integer(&value, f64::from(i32::MIN), f64::from(i32::MAX), name)? as i32)
    }
}

impl FromValue for u32 {
    /// A negative number in 32 bits is taken as its bit pattern: `~1 | FLAG` is one in JavaScript.
    fn from_value(value: Value, name: &str) -> Res<Self> {
        let number = integer(&value, f64::from(i32::MIN), f64::from(u32::MAX), name)?;
        Ok(if number < 0.0 {
            number as i32 as u32
        } else {
            number as u32
        })
    }
}

impl FromValue for i64 {
    fn from_value(value: Value, name: &str) -> Res<Self> {
        Ok(integer(&value, -MAX_SAFE_INTEGER, MAX_SAFE_INTEGER, name)? as i64)
    }
}

impl FromValue for u64 {
    fn from_value(value: Value, name: &str) -> Res<Self> {
        Ok(integer(&value, 0.0, MAX_SAFE_INTEGER, name)? as u64)
    }
}

impl<T: FromValue> FromValue for Option<T> {
    fn from_value(value: Value, name: &str) -> Res<Self> {
        match value {
            Value::Nothing => Ok(None),
            value => T::from_value(value, name).map(Some),
        }
    }
}

impl<T: FromValue> FromValue for Vec<T> {
    fn from_value(value: Value, name: &str) -> Res<Self> {
        match value {
            Value::List(items) => items
                .into_iter()
                .map(|item| T::from_value(item, name))
                .collect(),
            _ => Err(OpError::argument(name, "array")),
        }
    }
}

impl IntoValue for () {
    fn into_value(self) -> Value {
        Value::Nothing
    }
}

impl IntoValue for bool {
    fn into_value(self) -> Value {
        Value::Bool(self)
    }
}

impl IntoValue for String {
    fn into_value(self) -> Value {
        Value::Text(self)
    }
}

impl IntoValue for Bytes {
    fn into_value(self) -> Value {
        Value::Bytes(self.0)
    }
}

macro_rules! numbers {
    ($($type:ty),*) => { $(
        impl IntoValue for $type {
            fn into_value(self) -> Value {
                Value::Number(self as f64)
            }
        }
        #[cfg(feature = "types")]
        impl Typed for $type {
            fn typescript() -> String {
                "number".into()
            }
        }
    )* };
}
numbers!(i32, u32, i64, u64, f64);

impl<T: IntoValue> IntoValue for Option<T> {
    fn into_value(self) -> Value {
        self.map_or(Value::Nothing, T::into_value)
    }
}

impl<T: IntoValue> IntoValue for Vec<T> {
    fn into_value(self) -> Value {
        Value::List(self.into_iter().map(T::into_value).collect())
    }
}

#[cfg(feature = "types")]
mod names {
    use super::{Bytes, Typed};

    macro_rules! named {
        ($($type:ty = $name:literal),*) => { $(
            impl Typed for $type {
                fn typescript() -> String {
                    $name.into()
                }
            }
        )* };
    }
    named!(
        () = "void",
        bool = "boolean",
        String = "string",
        Bytes = "Uint8Array"
    );

    impl<T: Typed> Typed for Option<T> {
        fn typescript() -> String {
            format!("{} | undefined", T::typescript())
        }
    }

    impl<T: Typed> Typed for Vec<T> {
        fn typescript() -> String {
            format!("{}[]", T::typescript())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn error<T: FromValue + std::fmt::Debug>(value: Value) -> String {
        T::from_value(value, "len").unwrap_err().message()
    }

    #[test]
    fn integers_have_no_fraction_and_fit_their_type() {
        assert_eq!(i32::from_value(Value::Number(-5.0), "fd"), Ok(-5));
        assert_eq!(
            u64::from_value(Value::Number(9_007_199_254_740_991.0), "len"),
            Ok(9_007_199_254_740_991)
        );
        assert!(error::<i32>(Value::Number(0.5)).contains("argument len: expected integer"));
        assert!(error::<i32>(Value::Number(2_147_483_648.0)).contains("expected integer"));
        assert!(error::<u64>(Value::Number(-1.0)).contains("expected integer"));
        assert!(error::<u64>(Value::Number(9_007_199_254_740_992.0)).contains("expected integer"));
        assert!(error::<u32>(Value::Number(f64::NAN)).contains("expected integer"));
        assert!(error::<u32>(Value::Text("1".into())).contains("expected integer"));
    }

    #[test]
    fn flags_that_javascript_made_negative_keep_their_bits() {
        assert_eq!(
            u32::from_value(Value::Number(-2_147_483_648.0), "flags"),
            Ok(0x8000_0000)
        );
        assert_eq!(
            u32::from_value(Value::Number(4_294_967_295.0), "flags"),
            Ok(0xffff_ffff)
        );
    }

    #[test]
    fn what_is_left_out_is_none() {
        assert_eq!(Option::<i32>::from_value(Value::Nothing, "mode"), Ok(None));
        assert!(error::<String>(Value::Nothing).contains("expected string"));
    }

    #[test]
    fn a_list_names_itself_when_an_item_is_wrong() {
        let list = Value::List(vec![Value::Number(1.0), Value::Bool(true)]);
        assert!(error::<Vec<i32>>(list).contains("argument len"));
    }
}
