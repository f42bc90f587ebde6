import { OCI_VERSION } from "@kata-containers/oci";
import { COMMIT, VERSION } from "@kata-containers/sys";

/** Upstream's three lines. */
export function renderVersion(): string {
  return `kata-runtime  : ${VERSION}\n   commit   : ${COMMIT}\n   OCI specs: ${OCI_VERSION}\n`;
}
