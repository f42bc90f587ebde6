import { Logger } from "@kata-containers/sys";
import { type SandboxRecord, stateDir } from "@kata-containers/virtcontainers";
import { LogFile } from "./log-file.ts";

/** The log of a sandbox's daemon. */
export interface SandboxLogOrder {
  readonly sandbox: Pick<SandboxRecord, "root" | "id">;
  readonly debug: boolean;
  readonly onWarning: (line: string) => void;
  /** Where it goes; absent: `daemon.log` beside the record. */
  readonly fd?: number;
}

export function openSandboxLog({ sandbox, debug, onWarning, fd }: SandboxLogOrder): Logger {
  const { root, id } = sandbox;
  const file = fd === undefined ? new LogFile(`${stateDir(root, id)}/daemon.log`) : undefined;
  return new Logger({
    fd: file?.fd ?? fd ?? -1,
    ...(file === undefined ? {} : { onWritten: file.written }),
    level: debug ? "debug" : "warning",
    name: "containerd-shim-kata-v2",
    source: "shim",
    sandbox: id,
    onWarning,
  });
}
