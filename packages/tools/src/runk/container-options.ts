import type { Options } from "@kata-containers/cli";

export const preserveFds = {
  "preserve-fds": {
    value: "N",
    help: "pass N descriptors from 3 up to the process, besides those of LISTEN_FDS",
  },
} as const satisfies Options;

/** What `create` and `run` have in common. */
export const containerOptions = {
  bundle: {
    short: "b",
    value: "DIR",
    help: "the bundle: the directory of config.json (default: the current one)",
  },
  "pid-file": { value: "FILE", help: "write the pid of the container's process there" },
  "console-socket": { value: "SOCKET", help: "unix socket that gets the terminal's master descriptor" },
  "no-pivot": { help: "move the root instead of pivoting: for root file systems on a ramdisk" },
  "no-new-keyring": { help: "keep the caller's session keyring" },
  ...preserveFds,
} as const satisfies Options;
