/** What cpio.mjs offers to tests; paths are relative, parents stand before children. */
export function cpio(
  entries: readonly (
    | { readonly path: string; readonly dir: true; readonly mode: number }
    | { readonly path: string; readonly file: Buffer; readonly mode: number }
    | { readonly path: string; readonly char: readonly [number, number]; readonly mode: number }
  )[],
): Buffer;
