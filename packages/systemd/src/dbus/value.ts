/**
 * A value of D-Bus, as its type has it: y n q i u d are numbers, x t bigints, b a boolean, s o g strings, an array or a struct an array,
 * a dictionary an array of pairs, ay bytes.
 */
export type Value = number | bigint | boolean | string | Uint8Array | readonly Value[] | Variant;

/** A value that brings its type, one complete type. */
export type Variant = { readonly type: string; readonly value: Value };
