import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { makeBundle } from "./bundle.ts";
import { type Ended, run } from "./process.ts";

/** runc with a container that runs `sleep`, to compare with: what it says is what callers of an OCI runtime know. */
export class Runc implements AsyncDisposable {
  readonly #scratch = mkdtempSync(join(tmpdir(), `kata-e2e-${process.pid}-runc-`));
  readonly id = `e2e-runc-${process.pid}`;

  /** A container that was created and not started. */
  create(): void {
    const bundle = makeBundle(join(this.#scratch, "bundle"), { args: ["sleep", "1000"] });
    execFileSync("runc", ["--root", this.root, "create", "--bundle", bundle, this.id], { stdio: "ignore" });
  }

  get root(): string {
    return join(this.#scratch, "state");
  }

  run(args: readonly string[]): Promise<Ended> {
    return run("runc", ["--root", this.root, ...args]);
  }

  /** The message of its last error line. */
  async errorOf(args: readonly string[]): Promise<string> {
    const { status, stderr } = await this.run(args);
    if (status === 0) return "";
    const message = [...stderr.matchAll(/level=error msg="((?:[^"\\]|\\.)*)"/g)].at(-1)?.[1] ?? stderr;
    return message.replaceAll('\\"', '"').replace(/^(exec failed|runc \w+ failed): /, "");
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.run(["delete", "--force", this.id]);
    rmSync(this.#scratch, { recursive: true, force: true });
  }
}
