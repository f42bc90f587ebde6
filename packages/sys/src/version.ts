/** Set by the bundler (esbuild's define); "0.1.0" and "unknown" in unit tests. */
declare const KATA_VERSION: string | undefined;
declare const KATA_COMMIT: string | undefined;

export const VERSION = typeof KATA_VERSION === "undefined" ? "0.1.0" : KATA_VERSION;
/** The commit that the programs were built from, with "-dirty" when files differed from it. */
export const COMMIT = typeof KATA_COMMIT === "undefined" ? "unknown" : KATA_COMMIT;
