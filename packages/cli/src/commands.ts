import type { AnyCommand } from "./command.ts";
import { check } from "./commands/check.ts";
import { create } from "./commands/create.ts";
import { deleteCommand } from "./commands/delete.ts";
import { env } from "./commands/env.ts";
import { exec } from "./commands/exec.ts";
import { kill } from "./commands/kill.ts";
import { list } from "./commands/list.ts";
import { metrics } from "./commands/metrics.ts";
import { run } from "./commands/run.ts";
import { start } from "./commands/start.ts";
import { state } from "./commands/state.ts";

/** The command table: parser, `--help`, completion and man page all come from it. */
export const commands: readonly AnyCommand[] = [
  create,
  start,
  run,
  state,
  kill,
  deleteCommand,
  exec,
  list,
  metrics,
  check,
  env,
];
