import type { Level } from "@kata-containers/sys";

/** What the kernel command line (and, off PID 1, the program's arguments) say about the agent. */
export interface AgentOptions {
  readonly logLevel: Level;
  /** "virtio-serial://<port name>", "vsock://-1:<port>" or "unix://<path>". */
  readonly serverAddr: string;
  readonly unifiedCgroups: boolean;
  /** Bytes of a container's stdio pipes; 0 stands for {@link DEFAULT_PIPE_SIZE}. */
  readonly containerPipeSize: number;
  /** How long a device may take to appear, in milliseconds. */
  readonly hotplugTimeoutMs: number;
  /** Kernel modules that are loaded at boot, not when they are first used: this guest's copies find them there. */
  readonly loadModules: readonly string[];
}

type Writable = { -readonly [K in keyof AgentOptions]: AgentOptions[K] };

export const DEFAULT_OPTIONS: AgentOptions = {
  logLevel: "info",
  serverAddr: "virtio-serial://agent.channel.0",
  unifiedCgroups: true,
  containerPipeSize: 0,
  // Three times upstream's: on a loaded host under emulation a card takes seconds.
  hotplugTimeoutMs: 10_000,
  loadModules: [],
};

/** Twice fs.pipe-max-size, which is not root's limit: more than one read takes (MAX_READ), for each costs an emulated guest 3 ms. */
export const DEFAULT_PIPE_SIZE = 2 << 20;

/** Upstream's level names, ours beside them. */
const LEVELS: Readonly<Record<string, Level>> = {
  trace: "debug",
  debug: "debug",
  info: "info",
  warn: "warning",
  warning: "warning",
  error: "error",
  critical: "error",
};

const SERVER_ADDR = /^(virtio-serial:\/\/[\w.-]+|vsock:\/\/-1:\d+|unix:\/\/\/.+)$/;

/** Reads one value into the options, or says what it should have been. */
type Read = (options: Writable, value: string) => string | undefined;

const number =
  (set: (options: Writable, value: number) => void, what: string): Read =>
  (options, value) => {
    if (!/^\d{1,10}$/.test(value)) return what;
    set(options, Number(value));
    return undefined;
  };

const boolean =
  (set: (options: Writable, value: boolean) => void): Read =>
  (options, value) => {
    if (value !== "true" && value !== "false" && value !== "1" && value !== "0") return "true or false";
    set(options, value === "true" || value === "1");
    return undefined;
  };

/** The options, one row each; reference: upstream's docs/how-to/how-to-set-sandbox-config-kata.md and src/agent/src/config.rs. */
const KEYS: Readonly<Record<string, Read>> = {
  "agent.log": (options, value) => {
    const level = LEVELS[value];
    if (level === undefined) return Object.keys(LEVELS).join(", ");
    options.logLevel = level;
    return undefined;
  },
  "agent.server_addr": (options, value) => {
    if (!SERVER_ADDR.test(value)) return "virtio-serial://NAME, vsock://-1:PORT or unix://PATH";
    options.serverAddr = value;
    return undefined;
  },
  "agent.unified_cgroup_hierarchy": boolean((options, value) => {
    options.unifiedCgroups = value;
  }),
  "agent.container_pipe_size": number((options, value) => {
    options.containerPipeSize = value;
  }, "a number of bytes"),
  "agent.hotplug_timeout": number((options, value) => {
    options.hotplugTimeoutMs = value * 1000;
  }, "a number of seconds"),
  // Not upstream's, whose guests have their drivers built in.
  "agent.load_modules": (options, value) => {
    if (!/^\w+(,\w+)*$/.test(value)) return "names of kernel modules, separated by commas";
    options.loadModules = [...options.loadModules, ...value.split(",")];
    return undefined;
  },
};

/**
 * Reads a kernel command line. Words that are not ours are skipped; an unknown `agent.*` word and a value that makes no sense
 * are warnings, because a guest that does not come up tells nobody why.
 */
export function parseCmdline(text: string): { options: AgentOptions; warnings: string[] } {
  const options: Writable = { ...DEFAULT_OPTIONS };
  const warnings: string[] = [];
  for (const word of text.trim().split(" ")) {
    if (!word.startsWith("agent.")) continue;
    const equals = word.indexOf("=");
    const key = equals < 0 ? word : word.slice(0, equals);
    const read = Object.hasOwn(KEYS, key) ? KEYS[key] : undefined;
    if (read === undefined) {
      warnings.push(`unknown option ${key}: ignored`);
      continue;
    }
    const expected = read(options, equals < 0 ? "true" : word.slice(equals + 1));
    if (expected !== undefined) warnings.push(`option ${word}: ignored, expected ${expected}`);
  }
  return { options, warnings };
}
