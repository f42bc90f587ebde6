import type { CompiledSeccomp } from "@kata-containers/launch";
import type { Spec } from "@kata-containers/oci";
import type { Storage } from "@kata-containers/protocols";

/** What CreateContainer asks for. */
export interface ContainerOrder {
  readonly id: string;
  /** The name by which requests call its init process. */
  readonly execId: string;
  readonly spec: Spec;
  readonly storages: readonly Storage[];
  /** The filter of the spec's profile, if the host has compiled it. */
  readonly seccomp: CompiledSeccomp | undefined;
  /** Milliseconds for its init process to get ready; Infinity: no limit. */
  readonly timeoutMs: number;
  /** It joins the sandbox's pid namespace; the first container makes it. */
  readonly sharePid: boolean;
}
