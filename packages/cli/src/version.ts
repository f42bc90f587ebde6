import { OCI_VERSION } from "@kata-containers/oci";

/** Set by the bundler (esbuild's define); "0.1.0" and "unknown" in unit tests. */
declare const KATA_VERSION: string | undefined;
declare const KATA_COMMIT: string | undefined;

export const VERSION = typeof KATA_VERSION === "undefined" ? "0.1.0" : KATA_VERSION;
export const COMMIT = typeof KATA_COMMIT === "undefined" ? "unknown" : KATA_COMMIT;

/** Upstream's three lines. */
export function renderVersion(): string {
  return `kata-runtime  : ${VERSION}\n   commit   : ${COMMIT}\n   OCI specs: ${OCI_VERSION}\n`;
}
