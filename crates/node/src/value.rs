//! Values between Node-API and the op table.

use kata_sys::error::OpError;
use kata_sys::value::Value as Wire;
use napi_sys as sys;
use std::ffi::{CStr, c_char, c_void};
use sys::napi_value;

/// Node refused: an exception is pending, or the environment is closing.
#[derive(Debug)]
pub struct Refused;

pub type Made<T> = Result<T, Refused>;

pub fn check(status: sys::napi_status) -> Made<()> {
    match status {
        sys::Status::napi_ok => Ok(()),
        _ => Err(Refused),
    }
}

/// How deep an argument may nest: the deepest declared one is a list in a record. A cycle ends here.
const MAX_DEPTH: usize = 8;

/// Node's environment, on its own thread.
#[derive(Clone, Copy)]
pub struct Env(pub sys::napi_env);

/// A function of Node-API that writes its result last.
macro_rules! made {
    ($function:ident($($arg:expr),*) -> $result:expr) => {{
        let mut result = $result;
        // SAFETY: on Node's thread, with values of the running call; the result outlives the call.
        check(unsafe { sys::$function($($arg,)* &raw mut result) }).map(|()| result)
    }};
}

impl Env {
    pub fn function(
        self,
        name: &CStr,
        callback: unsafe extern "C" fn(sys::napi_env, sys::napi_callback_info) -> napi_value,
        data: *mut c_void,
    ) -> Made<napi_value> {
        let length = name.count_bytes() as isize;
        made!(napi_create_function(self.0, name.as_ptr(), length, Some(callback), data) -> std::ptr::null_mut())
    }

    pub fn set(self, object: napi_value, name: &CStr, value: napi_value) -> Made<()> {
        // SAFETY: the name is a C string.
        check(unsafe { sys::napi_set_named_property(self.0, object, name.as_ptr(), value) })
    }

    /// The arguments that were given, and what the function is bound to.
    pub fn arguments(
        self,
        info: sys::napi_callback_info,
        args: &mut [napi_value],
    ) -> Made<(&[napi_value], *mut c_void)> {
        let mut count = args.len();
        let mut data = std::ptr::null_mut();
        let this = std::ptr::null_mut();
        // SAFETY: at most `count` arguments are written.
        check(unsafe {
            sys::napi_get_cb_info(
                self.0,
                info,
                &raw mut count,
                args.as_mut_ptr(),
                this,
                &raw mut data,
            )
        })?;
        Ok((&args[..count.min(args.len())], data))
    }

    pub fn text(self, text: &str) -> Made<napi_value> {
        let bytes = text.as_ptr().cast::<c_char>();
        made!(napi_create_string_utf8(self.0, bytes, text.len() as isize) -> std::ptr::null_mut())
    }

    fn number(self, number: f64) -> Made<napi_value> {
        made!(napi_create_double(self.0, number) -> std::ptr::null_mut())
    }

    /// An error with the fields of packages/sys's SysError, which makes it one (addon.ts).
    pub fn error(self, error: &OpError) -> Made<napi_value> {
        let (code, message) = (self.text(&error.code())?, self.text(&error.message())?);
        let made = made!(napi_create_error(self.0, code, message) -> std::ptr::null_mut())?;
        self.set(made, c"errno", self.number(f64::from(error.errno))?)?;
        self.set(made, c"syscall", self.text(error.syscall)?)?;
        self.set(made, c"path", self.text(&error.path)?)?;
        Ok(made)
    }

    pub fn throw(self, error: &OpError) -> Made<()> {
        let error = self.error(error)?;
        // SAFETY: the error is a value of this call.
        check(unsafe { sys::napi_throw(self.0, error) })
    }

    /// Throws unless Node has left an exception already.
    pub fn throw_refused(self, why: &str) {
        if made!(napi_is_exception_pending(self.0) -> false).unwrap_or(true) {
            return;
        }
        let error = OpError {
            text: Some(why.into()),
            ..OpError::new(libc::EINVAL, "node")
        };
        let _ = self.throw(&error);
    }

    pub fn take_exception(self) -> Made<napi_value> {
        made!(napi_get_and_clear_last_exception(self.0) -> std::ptr::null_mut())
    }

    pub fn to_wire(self, value: napi_value) -> Made<Wire> {
        self.wire(value, MAX_DEPTH)
    }

    fn wire(self, value: napi_value, depth: usize) -> Made<Wire> {
        use sys::ValueType as Type;
        match made!(napi_typeof(self.0, value) -> 0)? {
            Type::napi_boolean => {
                made!(napi_get_value_bool(self.0, value) -> false).map(Wire::Bool)
            }
            Type::napi_number => {
                made!(napi_get_value_double(self.0, value) -> 0.0).map(Wire::Number)
            }
            Type::napi_string => self.string(value).map(Wire::Text),
            Type::napi_object if depth == 0 => self.type_error(c"an argument is nested too deep"),
            Type::napi_object => self.object(value, depth - 1),
            Type::napi_function => self.type_error(c"a function is no argument of an op"),
            _ => Ok(Wire::Nothing),
        }
    }

    fn type_error<T>(self, why: &CStr) -> Made<T> {
        // SAFETY: both are C strings, or null.
        unsafe { sys::napi_throw_type_error(self.0, std::ptr::null(), why.as_ptr()) };
        Err(Refused)
    }

    fn object(self, value: napi_value, depth: usize) -> Made<Wire> {
        if made!(napi_is_typedarray(self.0, value) -> false)? {
            return self.bytes(value).map(Wire::Bytes);
        }
        if made!(napi_is_array(self.0, value) -> false)? {
            let length = made!(napi_get_array_length(self.0, value) -> 0)?;
            let items = (0..length).map(|index| self.wire(self.element(value, index)?, depth));
            return items.collect::<Made<_>>().map(Wire::List);
        }
        let names = made!(napi_get_property_names(self.0, value) -> std::ptr::null_mut())?;
        let count = made!(napi_get_array_length(self.0, names) -> 0)?;
        let fields = (0..count).map(|index| {
            let name = self.element(names, index)?;
            let field = made!(napi_get_property(self.0, value, name) -> std::ptr::null_mut())?;
            Ok((self.string(name)?.into(), self.wire(field, depth)?))
        });
        fields.collect::<Made<_>>().map(Wire::Record)
    }

    fn element(self, array: napi_value, index: u32) -> Made<napi_value> {
        made!(napi_get_element(self.0, array, index) -> std::ptr::null_mut())
    }

    /// In UTF-8; a lone surrogate becomes U+FFFD, as in WHATWG's TextEncoder.
    fn string(self, value: napi_value) -> Made<String> {
        let no_buffer = std::ptr::null_mut();
        let length = made!(napi_get_value_string_utf8(self.0, value, no_buffer, 0) -> 0)?;
        let mut bytes = vec![0u8; length + 1];
        let room = bytes.as_mut_ptr().cast();
        let written = made!(napi_get_value_string_utf8(self.0, value, room, length + 1) -> 0)?;
        bytes.truncate(written);
        String::from_utf8(bytes)
            .or_else(|wrong| Ok(String::from_utf8_lossy(wrong.as_bytes()).into_owned()))
    }

    /// The view's own bytes, copied before any script can run and change them.
    fn bytes(self, value: napi_value) -> Made<Vec<u8>> {
        let (mut kind, mut length, mut data) = (0, 0, std::ptr::null_mut());
        let (buffer, offset) = (std::ptr::null_mut(), std::ptr::null_mut());
        // SAFETY: all results outlive the call; what is not wanted is null.
        check(unsafe {
            sys::napi_get_typedarray_info(
                self.0,
                value,
                &raw mut kind,
                &raw mut length,
                &raw mut data,
                buffer,
                offset,
            )
        })?;
        if kind != sys::TypedarrayType::uint8_array {
            return self.type_error(c"bytes are a Uint8Array");
        }
        if data.is_null() || length == 0 {
            return Ok(Vec::new());
        }
        // SAFETY: Node says so many bytes are there.
        Ok(unsafe { std::slice::from_raw_parts(data.cast::<u8>(), length) }.to_vec())
    }

    pub fn to_js(self, value: Wire) -> Made<napi_value> {
        match value {
            Wire::Nothing => made!(napi_get_undefined(self.0) -> std::ptr::null_mut()),
            Wire::Bool(truth) => made!(napi_get_boolean(self.0, truth) -> std::ptr::null_mut()),
            Wire::Number(number) => self.number(number),
            Wire::Text(text) => self.text(&text),
            Wire::Bytes(bytes) => self.uint8_array(&bytes),
            Wire::List(items) => {
                let array = made!(napi_create_array(self.0) -> std::ptr::null_mut())?;
                for (index, item) in items.into_iter().enumerate() {
                    let item = self.to_js(item)?;
                    // SAFETY: both are values of this call.
                    check(unsafe { sys::napi_set_element(self.0, array, index as u32, item) })?;
                }
                Ok(array)
            }
            Wire::Record(fields) => {
                let object = made!(napi_create_object(self.0) -> std::ptr::null_mut())?;
                for (name, value) in fields {
                    if value != Wire::Nothing {
                        let (name, value) = (self.text(&name)?, self.to_js(value)?);
                        // SAFETY: all are values of this call.
                        check(unsafe { sys::napi_set_property(self.0, object, name, value) })?;
                    }
                }
                Ok(object)
            }
        }
    }

    fn uint8_array(self, bytes: &[u8]) -> Made<napi_value> {
        let mut data = std::ptr::null_mut();
        let buffer = made!(napi_create_arraybuffer(self.0, bytes.len(), &raw mut data) -> std::ptr::null_mut())?;
        if !bytes.is_empty() {
            // SAFETY: Node has made room for so many bytes, which nobody else knows of.
            unsafe { std::ptr::copy_nonoverlapping(bytes.as_ptr(), data.cast(), bytes.len()) };
        }
        let kind = sys::TypedarrayType::uint8_array;
        made!(napi_create_typedarray(self.0, kind, bytes.len(), buffer, 0) -> std::ptr::null_mut())
    }
}
