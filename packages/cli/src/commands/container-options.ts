import type { Options } from "../command.ts";
import { preserveFdsOption } from "../container/preserve-fds.ts";

/** What `create` and `run` have in common. */
export const containerOptions = {
  bundle: {
    short: "b",
    value: "DIR",
    help: "the bundle: the directory of config.json (default: the current one)",
  },
  "pid-file": {
    value: "FILE",
    help: "write the pid of the process that stands for the container's (kata-shim) there",
  },
  "console-socket": { value: "SOCKET", help: "unix socket that gets the terminal's master descriptor" },
  "no-pivot": { help: "for root file systems on a ramdisk, which work without it: the guest always pivots" },
  "no-new-keyring": { help: "make no keyring on the host, as always: the guest has a kernel of its own" },
  ...preserveFdsOption,
} as const satisfies Options;

/** The first argument of most commands. */
export const containerId = { name: "ID", help: "the container's id" } as const;
