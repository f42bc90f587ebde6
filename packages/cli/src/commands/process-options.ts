import type { Options } from "../command.ts";
import { preserveFdsOption } from "../container/preserve-fds.ts";

/** What `exec` takes about the process itself: runc's options. */
export const processOptions = {
  process: {
    short: "p",
    value: "FILE",
    help: "the process as JSON (OCI), instead of the options below and COMMAND",
  },
  tty: { short: "t", help: "give the process a terminal" },
  cwd: { value: "DIR", help: "its current directory" },
  env: { short: "e", value: "NAME=VALUE", repeat: true, help: "add to its environment" },
  user: { short: "u", value: "UID[:GID]", help: "its user and group, as numbers" },
  "additional-gids": {
    short: "g",
    value: "GID",
    repeat: true,
    help: "a further group of its user, as a number",
  },
  "no-new-privs": { help: "it cannot gain privileges by executing programs" },
  cap: { short: "c", value: "CAP", repeat: true, help: "add a capability: CAP_NET_ADMIN" },
  cgroup: {
    value: "[CONTROLLERS:]PATH",
    repeat: true,
    help: "run it in a control group below the container's own, which is there",
  },
} as const satisfies Options;

/** What no process in a VM can have. */
export const refusedProcessOptions = {
  "process-label": { value: "LABEL", help: "refused: SELinux is not in the guest" },
  apparmor: { value: "PROFILE", help: "refused: AppArmor is not in the guest" },
  ...preserveFdsOption,
} as const satisfies Options;
