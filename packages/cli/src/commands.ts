import type { AnyCommand } from "./command.ts";
import { check } from "./commands/check.ts";
import { create } from "./commands/create.ts";
import { deleteCommand } from "./commands/delete.ts";
import { env } from "./commands/env.ts";
import { events } from "./commands/events.ts";
import { exec } from "./commands/exec.ts";
import { factory } from "./commands/factory.ts";
import { features } from "./commands/features.ts";
import { kill } from "./commands/kill.ts";
import { list } from "./commands/list.ts";
import { metrics } from "./commands/metrics.ts";
import { pause } from "./commands/pause.ts";
import { ps } from "./commands/ps.ts";
import { resume } from "./commands/resume.ts";
import { run } from "./commands/run.ts";
import { spec } from "./commands/spec.ts";
import { start } from "./commands/start.ts";
import { state } from "./commands/state.ts";
import { update } from "./commands/update.ts";
import { version } from "./commands/version.ts";
import type { Globals } from "./globals.ts";

/** The command table: parser, `--help`, completion and man page all come from it. */
export const commands: readonly AnyCommand<Globals>[] = [
  create,
  start,
  run,
  state,
  kill,
  deleteCommand,
  exec,
  list,
  ps,
  pause,
  resume,
  update,
  events,
  spec,
  features,
  metrics,
  factory,
  check,
  env,
  version,
];
