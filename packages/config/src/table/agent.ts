import { count, flag, type Refusal, refused, seconds } from "../key.ts";

const inSeconds = (key: string): Refusal => refused(`set ${key}, in seconds`);
const notTraced = "the agent is not traced";
const fixedPort = "the agent's channel has no port to choose";
const noConfidential = "confidential guests are not supported";

/** The guest's first process. */
export const agent = {
  name: "agent.kata",
  help: "kata-agent, the guest's first process.",
  keys: {
    enable_debug: flag(false, {
      help: "The agent logs everything, to the guest's console, which is kept in daemon.log of the sandbox's state directory.",
    }),
    container_pipe_size: count(
      0,
      { min: 0, max: 1_048_576, unit: "bytes" },
      {
        annotation: {},
        help: "Size of the pipes of a container's streams in the guest. 0: 1 MiB.",
        example: 65_536,
      },
    ),
    dial_timeout: count(60, seconds(1), {
      help: "How long the agent may take to answer after the virtual machine has started, in seconds.",
      example: 15,
    }),
    request_timeout: count(60, seconds(1), {
      help: "How long one request to the agent may take, in seconds.",
    }),
  },
  refused: {
    kernel_modules: refused("the agent loads the modules that it needs itself", []),
    enable_tracing: refused(notTraced, false),
    trace_mode: refused(notTraced),
    trace_type: refused(notTraced),
    debug_console_enabled: refused("the guest has no shell; use kata-runtime exec", false),
    log_level: refused("set enable_debug"),
    server_port: refused(fixedPort),
    log_port: refused(fixedPort),
    passfd_listener_port: refused(fixedPort),
    dial_timeout_ms: inSeconds("dial_timeout"),
    reconnect_timeout_ms: inSeconds("dial_timeout"),
    request_timeout_ms: inSeconds("request_timeout"),
    health_check_request_timeout_ms: inSeconds("request_timeout"),
    cdh_api_timeout: refused(noConfidential),
    cdh_api_timeout_ms: refused(noConfidential),
    launch_process_timeout: refused("the agent launches no helper programs"),
    visible_cdi_devices: refused("devices are not injected by CDI", false),
    policy: refused("the agent has no policy", ""),
    mem_agent: refused("the guest has no memory agent"),
  },
} as const;
