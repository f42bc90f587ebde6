import type { BundleOptions } from "./bundle.ts";
import type { Runtime } from "./runtime.ts";

const TYPE = "io.kubernetes.cri.container-type";
const SANDBOX_ID = "io.kubernetes.cri.sandbox-id";

/** What containerd's CRI writes into the config.json of a pod's sandbox. */
export function sandboxOptions(options: BundleOptions = {}): BundleOptions {
  return { ...options, annotations: { [TYPE]: "sandbox" } };
}

/** What it writes into that of a container of the pod: the sandbox's network, and its pid namespace when asked. */
export async function memberOptions(
  runtime: Runtime,
  sandboxId: string,
  options: BundleOptions & { readonly sharePid?: boolean } = {},
): Promise<BundleOptions> {
  const { pid } = await runtime.state(sandboxId);
  return {
    ...options,
    annotations: { [TYPE]: "container", [SANDBOX_ID]: sandboxId },
    edit: (config) => {
      config.linux.namespaces = [
        { type: "mount" },
        { type: "network", path: `/proc/${pid}/ns/net` },
        { type: "uts", path: `/proc/${pid}/ns/uts` },
        { type: "ipc", path: `/proc/${pid}/ns/ipc` },
        options.sharePid ? { type: "pid", path: `/proc/${pid}/ns/pid` } : { type: "pid" },
      ];
      options.edit?.(config);
    },
  };
}
