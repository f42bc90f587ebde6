import { renderProgramCompletion, renderProgramManPage, VERSION } from "@kata-containers/cli";
import { runk } from "./runk/program.ts";

/** The bash completion script of runk. */
export function renderRunkCompletion(): string {
  return renderProgramCompletion(runk);
}

/** runk(8). */
export function renderRunkManPage(): string {
  return renderProgramManPage(runk, VERSION);
}
