/** containerd's configuration with everything of its own in one directory, and its socket `containerd.sock` there. */
export function containerdConfig(directory: string): string {
  return `${base(directory)}
disabled_plugins = ["io.containerd.grpc.v1.cri"]
${tables(directory)}`;
}

/** The same with CRI: the runtimes runc and kata, the image `pause` for sandboxes, and the networks of `cni` in the directory. */
export function criConfig(directory: string): string {
  return `${base(directory)}
${tables(directory)}
[plugins."io.containerd.grpc.v1.cri"]
  sandbox_image = "${PAUSE}"
  # What a host without CAP_SYS_RESOURCE can grant.
  restrict_oom_score_adj = true
  disable_apparmor = true
  [plugins."io.containerd.grpc.v1.cri".cni]
    bin_dir = "/usr/lib/cni"
    conf_dir = "${directory}/cni"
  [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc]
    runtime_type = "io.containerd.runc.v2"
  [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.kata]
    runtime_type = "io.containerd.kata.v2"
    privileged_without_host_devices = true
`;
}

/** What the sandboxes of pods run. */
export const PAUSE = "docker.io/library/pause:latest";

function base(directory: string): string {
  return `version = 2
root = "${directory}/root"
state = "${directory}/state"`;
}

function tables(directory: string): string {
  return `[grpc]
  address = "${directory}/containerd.sock"
[plugins."io.containerd.internal.v1.opt"]
  path = "${directory}/opt"
`;
}
