import { renderProgramCompletion, renderProgramManPage } from "@kata-containers/cli";
import { VERSION } from "@kata-containers/sys";
import { runk } from "./runk/program.ts";

/** The bash completion script of runk. */
export function renderRunkCompletion(): string {
  return renderProgramCompletion(runk);
}

/** runk(8). */
export function renderRunkManPage(): string {
  return renderProgramManPage(runk, VERSION);
}
