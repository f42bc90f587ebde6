//! QuickJS's binding of the op table: values across, errors across, promises. It knows no op.

use kata_sys::error::OpError;
use kata_sys::table::{Op, Outcome, camel};
use kata_sys::value::Value as Wire;
use rquickjs::function::{IntoJsFunc, ParamRequirement, Params};
use rquickjs::object::Property;
use rquickjs::{
    Array, Ctx, Exception, Function, Object, Result, String as JsString, TypedArray, Value, qjs,
};
use std::sync::atomic::{AtomicU32, Ordering};

/// Puts every op on `globalThis.__ops`.
pub fn register(ctx: &Ctx<'_>) -> Result<()> {
    let ops = Object::new(ctx.clone())?;
    for op in kata_sys::ops() {
        ops.set(camel(op.name), Function::new(ctx.clone(), Native(op))?)?;
    }
    ctx.globals().set("__ops", ops)
}

struct Native(&'static Op);

impl<'js> IntoJsFunc<'js, ()> for Native {
    fn param_requirements() -> ParamRequirement {
        ParamRequirement::any()
    }

    fn call(&self, params: Params<'_, 'js>) -> Result<Value<'js>> {
        let ctx = params.ctx().clone();
        let args = (0..params.len()).filter_map(|index| params.arg(index));
        let args = args
            .map(|arg| to_wire(&ctx, arg))
            .collect::<Result<Vec<_>>>()?;
        match self.0.run(args) {
            Outcome::Now(Ok(value)) => to_js(&ctx, value),
            Outcome::Now(Err(error)) => Err(ctx.throw(sys_error(&ctx, &error)?)),
            Outcome::Later(future) => {
                let (promise, resolve, reject) = ctx.promise()?;
                let spawner = ctx.clone();
                spawner.spawn(async move {
                    let settled = match future.await {
                        Ok(value) => {
                            to_js(&ctx, value).and_then(|value| resolve.call::<_, ()>((value,)))
                        }
                        Err(error) => {
                            sys_error(&ctx, &error).and_then(|error| reject.call::<_, ()>((error,)))
                        }
                    };
                    if settled.is_err() {
                        // No memory for the outcome: the waiter must not wait for ever.
                        let _ = reject.call::<_, ()>((ctx.catch(),));
                    }
                });
                Ok(promise.into_value())
            }
        }
    }
}

/// QuickJS's class of error objects, which its headers do not name.
static ERROR_CLASS: AtomicU32 = AtomicU32::new(0);

/// An error object without a stack: QuickJS adds that where a script receives it, which for an async op is the `await`.
/// (`Exception::from_message` would record the stack of now, which an async op has not.)
fn bare_error<'js>(ctx: &Ctx<'js>) -> Result<Object<'js>> {
    let raw = ctx.as_raw().as_ptr();
    let mut class = ERROR_CLASS.load(Ordering::Relaxed);
    if class == 0 {
        let sample = Exception::from_message(ctx.clone(), "")?;
        // SAFETY: the sample is a live value.
        class = unsafe { qjs::JS_GetClassID(sample.as_object().as_value().as_raw()) };
        ERROR_CLASS.store(class, Ordering::Relaxed);
    }
    // SAFETY: SysError's prototype or the class's own; the new object is ours to own.
    let error = unsafe {
        let prototype = ctx.globals().get::<_, Object<'js>>("__sysErrorPrototype");
        let made = match &prototype {
            Ok(prototype) => qjs::JS_NewObjectProtoClass(raw, prototype.as_value().as_raw(), class),
            Err(_) => qjs::JS_NewObjectClass(raw, class),
        };
        Value::from_raw(ctx.clone(), made)
    };
    error.into_object().ok_or(rquickjs::Error::Exception)
}

/// An error of packages/sys's class SysError, which has left us its prototype.
fn sys_error<'js>(ctx: &Ctx<'js>, error: &OpError) -> Result<Value<'js>> {
    let exception = bare_error(ctx)?;
    exception.prop(
        "message",
        Property::from(error.message()).writable().configurable(),
    )?;
    exception.set("code", error.code())?;
    exception.set("errno", error.errno)?;
    exception.set("syscall", error.syscall)?;
    exception.set("path", &*error.path)?;
    Ok(exception.into_value())
}

fn to_wire<'js>(ctx: &Ctx<'js>, value: Value<'js>) -> Result<Wire> {
    if let Some(number) = value.as_number() {
        return Ok(Wire::Number(number));
    }
    if let Some(truth) = value.as_bool() {
        return Ok(Wire::Bool(truth));
    }
    if let Some(text) = value.as_string() {
        return text_of(ctx, text).map(Wire::Text);
    }
    let Some(object) = value.into_object() else {
        return Ok(Wire::Nothing);
    };
    if let Some(bytes) = object.as_typed_array::<u8>() {
        // SAFETY: copied before any script can run and change them.
        let copy = unsafe { bytes.as_bytes() }.map(<[u8]>::to_vec);
        return copy
            .map(Wire::Bytes)
            .ok_or_else(|| Exception::throw_type(ctx, "a detached buffer"));
    }
    if let Some(array) = object.as_array() {
        return array
            .iter::<Value<'js>>()
            .map(|item| to_wire(ctx, item?))
            .collect::<Result<_>>()
            .map(Wire::List);
    }
    if object.is_function() {
        return Err(Exception::throw_type(
            ctx,
            "a function is no argument of an op",
        ));
    }
    let fields = object.props::<std::string::String, Value<'js>>();
    let fields =
        fields.map(|field| field.and_then(|(key, value)| Ok((key.into(), to_wire(ctx, value)?))));
    fields.collect::<Result<_>>().map(Wire::Record)
}

/// The string in UTF-8; a lone surrogate becomes U+FFFD, as in WHATWG's TextEncoder.
fn text_of<'js>(ctx: &Ctx<'js>, text: &JsString<'js>) -> Result<String> {
    let mut len = 0;
    // SAFETY: the pointer is to `len` bytes until it is freed, after they are copied.
    let mut bytes = unsafe {
        let at = qjs::JS_ToCStringLen(
            ctx.as_raw().as_ptr(),
            &raw mut len,
            text.as_value().as_raw(),
        );
        if at.is_null() {
            return Err(rquickjs::Error::Exception);
        }
        let bytes = std::slice::from_raw_parts(at.cast::<u8>(), len).to_vec();
        qjs::JS_FreeCString(ctx.as_raw().as_ptr(), at);
        bytes
    };
    String::from_utf8(std::mem::take(&mut bytes)).or_else(|wrong| {
        // QuickJS writes a lone surrogate as three bytes ED A0..BF xx, which UTF-8 has not.
        let mut bytes = wrong.into_bytes();
        for at in 0..bytes.len().saturating_sub(2) {
            if bytes[at] == 0xed && bytes[at + 1] >= 0xa0 {
                bytes[at..at + 3].copy_from_slice("\u{fffd}".as_bytes());
            }
        }
        Ok(String::from_utf8_lossy(&bytes).into_owned())
    })
}

fn to_js<'js>(ctx: &Ctx<'js>, value: Wire) -> Result<Value<'js>> {
    Ok(match value {
        Wire::Nothing => Value::new_undefined(ctx.clone()),
        Wire::Bool(truth) => Value::new_bool(ctx.clone(), truth),
        Wire::Number(number) => Value::new_number(ctx.clone(), number),
        Wire::Text(text) => JsString::from_str(ctx.clone(), &text)?.into_value(),
        Wire::Bytes(bytes) => TypedArray::new(ctx.clone(), bytes)?.into_value(),
        Wire::List(items) => {
            let array = Array::new(ctx.clone())?;
            for (index, item) in items.into_iter().enumerate() {
                array.set(index, to_js(ctx, item)?)?;
            }
            array.into_value()
        }
        Wire::Record(fields) => {
            let object = Object::new(ctx.clone())?;
            for (name, value) in fields {
                if value != Wire::Nothing {
                    object.set(&*name, to_js(ctx, value)?)?;
                }
            }
            object.into_value()
        }
    })
}
