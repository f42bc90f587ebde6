import { existsSync, readdirSync, readFileSync } from "node:fs";
import type { Overrides } from "@kata-containers/config";
import { testConfiguration, writeConfigurationFrom } from "./programs.ts";
import type { Runtime } from "./runtime.ts";

/** What the daemon of a sandbox says in its log. */
export const SAID = {
  made: "the template is made",
  copied: "the VM is a copy of the template",
  booted: "the VM boots, it is no copy of the template",
  grown: "the VM has grown",
} as const;

let configurations = 0;

/** Has a suite's sandboxes be copies of the templates in `directory`, and their daemons log more than warnings. */
export function copyTemplates(runtime: Runtime, directory: string, changes: Overrides = {}): void {
  const file = runtime.scratch.join(`template-${configurations++}.toml`);
  runtime.configuration = writeConfigurationFrom(testConfiguration(), file, {
    ...changes,
    factory: {
      ...{ enable_template: true, template_path: directory, vm_cache_number: 0 },
      // Not the cell's cache, which `factory destroy` would end.
      vm_cache_endpoint: runtime.scratch.join("cache.sock"),
    },
    runtime: { enable_debug: true, ...changes.runtime },
  });
}

/** What is in a directory of templates, but for its lock and what it says of a failure: names of templates, and what should not be there. */
export function templatesIn(directory: string): string[] {
  if (!existsSync(directory)) return [];
  return readdirSync(directory)
    .filter((name) => name !== "lock" && name !== "failure.json")
    .sort();
}

/** The lines that the daemon of a sandbox has logged. */
export function saidBy(runtime: Runtime, id: string): string[] {
  return linesOf(`${runtime.root}/${id}/daemon.log`);
}

/** The warnings about templates that this suite's commands have logged, their own and their daemons', once for each time. */
export function templateWarnings(runtime: Runtime): string[] {
  return linesOf(runtime.log).filter((line) => / level=warning msg="[^"]*template/.test(line));
}

function linesOf(file: string): string[] {
  return existsSync(file) ? readFileSync(file, "utf8").trimEnd().split("\n") : [];
}
