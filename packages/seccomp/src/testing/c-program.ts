import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

/** A program of this directory, compiled for a test; gone when it is disposed of. */
export class CProgram implements Disposable {
  readonly path: string;
  readonly directory: string;

  constructor(source: string, ...libraries: readonly string[]) {
    this.directory = mkdtempSync(join(tmpdir(), "kata-seccomp-"));
    this.path = join(this.directory, source.replace(/\.c$/, ""));
    const file = fileURLToPath(new URL(source, import.meta.url));
    try {
      execFileSync("cc", ["-O1", "-Wall", "-Werror", "-o", this.path, file, ...libraries], { stdio: "pipe" });
    } catch (error) {
      this[Symbol.dispose]();
      throw new Error(
        `cannot compile ${source}: install gcc and libseccomp-dev (apt-get install gcc libseccomp-dev)`,
        {
          cause: error,
        },
      );
    }
  }

  [Symbol.dispose](): void {
    rmSync(this.directory, { recursive: true, force: true });
  }
}
