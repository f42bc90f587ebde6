import { KataError } from "@kata-containers/sys";
import type { Options } from "../command.ts";

export const preserveFdsOption = {
  "preserve-fds": {
    value: "N",
    help: "only 0: the host's descriptors cannot cross into the virtual machine",
  },
} as const satisfies Options;

/** @throws KataError InvalidArgument; Unimplemented for more than 0 descriptors */
export function checkPreserveFds(command: string, text: string | undefined): void {
  if (text === undefined || text === "0") return;
  if (!/^\d{1,6}$/.test(text))
    throw new KataError(
      "InvalidArgument",
      `${command}: --preserve-fds ${JSON.stringify(text)}: must be a number`,
    );
  throw new KataError(
    "Unimplemented",
    `${command}: --preserve-fds ${text}: the host's descriptors cannot cross into the virtual machine`,
  );
}
