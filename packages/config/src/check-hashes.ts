import { Fd, KataError, O, ops } from "@kata-containers/sys";
import { type Annotation, wrong } from "./annotation-error.ts";
import { type Annotations, wantedHashes } from "./annotations.ts";
import type { KataConfig } from "./table.ts";

/**
 * Checks that the files of the configuration have the SHA-512 that annotations say: `kernel_hash`, `initrd_hash`, …
 * Other than upstream, which looks only at files that annotations name, also those of the configuration file.
 * @throws KataError InvalidArgument naming annotation, file and both hashes
 */
export function checkHashes({ hypervisor }: KataConfig, annotations: Annotations = {}): void {
  for (const { annotation, key, sha512 } of wantedHashes(annotations)) {
    const path = hypervisor[key];
    if (path === "")
      throw wrong(annotation, `is about a file that there is not: ${key} of [hypervisor.qemu] is empty`);
    const actual = sha512Of(path, annotation);
    if (actual !== sha512) throw wrong(annotation, `is not the hash of ${path}, ${actual}`);
  }
}

function sha512Of(path: string, { name }: Annotation): string {
  try {
    using file = new Fd(ops.open(path, O.RDONLY | O.CLOEXEC, 0));
    return [...ops.sha512File(file.number)].map((byte) => byte.toString(16).padStart(2, "0")).join("");
  } catch (error) {
    throw KataError.from(error, `cannot check ${name}`);
  }
}
