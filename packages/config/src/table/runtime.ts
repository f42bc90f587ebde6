import { count, file, flag, oneOf, pathPatterns, refused, seconds } from "../key.ts";

const notTraced = "the runtime is not traced";
const noBindMounts = "only the mounts of config.json are shared";

/** kata-runtime and the sandbox's daemon. */
export const runtime = {
  name: "runtime",
  help: "kata-runtime and the sandbox's daemon.",
  keys: {
    enable_debug: flag(false, { help: "Log everything, to daemon.log in the sandbox's state directory." }),
    launch_path: file("/usr/libexec/kata-containers/kata-launch", {
      help: "The program that confines what the daemon starts.",
    }),
    shim_path: file("/usr/bin/containerd-shim-kata-v2", { help: "The sandbox's daemon." }),
    kata_shim_path: file("/usr/libexec/kata-containers/kata-shim", {
      help: "The process that stands for a container's process on the host.",
    }),
    internetworking_model: oneOf("tcfilter", ["none"], {
      annotation: {},
      help: "How the interfaces of the container's network namespace reach the virtual machine. tcfilter: each by a tap, to which tc leads its frames. none: not at all.",
      refused: {
        macvtap: "frames are led to a tap by tc",
        default: "that is tcfilter",
      },
    }),
    disable_guest_seccomp: flag(false, {
      annotation: {},
      help: "Run containers without their seccomp profile, with a warning. false: the guest's kernel enforces it.",
    }),
    vm_start_timeout: count(30, seconds(1), {
      help: "How long QEMU and virtiofsd may take to start, in seconds, without the guest's boot.",
    }),
    stop_timeout: count(10, seconds(0), {
      help: "How long the guest may take to shut down, in seconds, before the virtual machine is killed.",
    }),
    valid_config_paths: pathPatterns({
      help: "Other configuration files that the annotation io.katacontainers.config_path of a sandbox may name: paths, or patterns of them as in glob(7). Name only what nobody but root can write, and no directory that containers see.",
      example: ["/etc/kata-containers/configuration-*.toml"],
    }),
  },
  refused: {
    name: refused("there is one runtime"),
    hypervisor_name: refused("QEMU is the only hypervisor", "qemu"),
    agent_name: refused("kata-agent is the only agent", "kata"),
    dan_conf: refused("interfaces are those of the network namespace", ""),
    disable_new_netns: refused("the virtual machine is never in the host's network namespace", false),
    enable_tracing: refused(notTraced, false),
    jaeger_endpoint: refused(notTraced, ""),
    jaeger_user: refused(notTraced, ""),
    jaeger_password: refused(notTraced, ""),
    enable_pprof: refused("the daemon is not profiled over the network", false),
    log_level: refused("set enable_debug"),
    sandbox_cgroup_only: refused(
      "QEMU, virtiofsd and kata-shim are always in the container's cgroup, the daemon in one beside it",
    ),
    static_sandbox_resource_mgmt: refused(
      "a sandbox is sized for what is known when it starts, and grows with what is asked later (docs/resources.md)",
    ),
    enable_vcpus_pinning: refused("vCPUs are not pinned", false),
    experimental: refused("there is no experimental feature", []),
    experimental_force_guest_pull: refused("images are not pulled in the guest", false),
    enable_agent_pidns: refused("containers do not join the agent's pid namespace", false),
    sandbox_bind_mounts: refused(noBindMounts, []),
    shared_mounts: refused(noBindMounts, []),
    disable_guest_empty_dir: refused("empty directories of a pod are the host's", true),
    emptydir_mode: refused("empty directories of a pod are the host's", "shared-fs"),
    vfio_mode: refused("host devices are not passed through"),
    guest_selinux_label: refused("no SELinux label is set in the guest", ""),
    create_container_timeout: refused("set dial_timeout and request_timeout of [agent.kata]"),
    keep_abnormal: refused("what is left of a sandbox that failed is removed", false),
    use_passfd_io: refused("a container's streams are requests to the agent", false),
    passfd_listener_port: refused("a container's streams are requests to the agent"),
    pod_resource_api_sock: refused("the kubelet is not asked for devices", ""),
    kubelet_root_dir: refused("the kubelet is not asked for devices"),
  },
} as const;
