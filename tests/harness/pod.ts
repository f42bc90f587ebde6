import type { BundleOptions } from "./bundle.ts";
import type { Runtime } from "./runtime.ts";

/** What a container manager calls a container's type and its sandbox's id. */
export const managers = {
  containerd: { type: "io.kubernetes.cri.container-type", sandboxId: "io.kubernetes.cri.sandbox-id" },
  "CRI-O": { type: "io.kubernetes.cri-o.ContainerType", sandboxId: "io.kubernetes.cri-o.SandboxID" },
} as const;
type PodManager = keyof typeof managers;

/** What a manager's CRI writes into the config.json of a pod's sandbox. */
export function sandboxOptions(
  options: BundleOptions = {},
  manager: PodManager = "containerd",
): BundleOptions {
  return { ...options, annotations: { [managers[manager].type]: "sandbox" } };
}

/** What it writes into that of a container of the pod: the sandbox's network, and its pid namespace when asked. */
export async function memberOptions(
  runtime: Runtime,
  sandbox: string,
  options: BundleOptions & { readonly sharePid?: boolean; readonly manager?: PodManager } = {},
): Promise<BundleOptions> {
  const { type, sandboxId } = managers[options.manager ?? "containerd"];
  const { pid } = await runtime.state(sandbox);
  return {
    ...options,
    annotations: { [type]: "container", [sandboxId]: sandbox },
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
