import { type ChildProcess, spawn } from "node:child_process";
import { mkdirSync, readFileSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { pids, type Traces } from "./leaks.ts";
import { eventually, statusOf } from "./process.ts";
import { configurationFile, repository } from "./programs.ts";

/** A Node.js program that uses the library, running. */
export class NodeProgram {
  readonly child: ChildProcess;
  stdout = "";
  stderr = "";
  readonly ended: Promise<number>;

  /** @param directory for the program's file, beside a node_modules that has the library */
  constructor(directory: string, text: string, args: readonly string[]) {
    installLibrary(directory);
    const path = join(directory, "program.mjs");
    writeFileSync(path, text);
    this.child = spawn(process.execPath, [path, ...args], {
      cwd: directory,
      env: { ...process.env, KATA_CONF_FILE: configurationFile },
      stdio: ["ignore", "pipe", "pipe"],
      timeout: 60_000,
      killSignal: "SIGKILL",
    });
    this.child.stdout?.on("data", (chunk) => {
      this.stdout += chunk;
    });
    this.child.stderr?.on("data", (chunk) => {
      this.stderr += chunk;
    });
    this.ended = statusOf(this.child);
  }

  /** Resolves when it has printed the line. */
  async says(line: string): Promise<void> {
    await eventually(`"${line}" (${this.stderr})`, () => {
      if (this.child.exitCode !== null) throw new Error(`it has ended: ${this.stderr}`);
      return this.stdout.split("\n").includes(line) ? true : undefined;
    });
  }

  /** What the traces of its sandbox in memory are: its daemon knows. */
  async tracesInMemory(): Promise<Traces & { readonly daemon: number }> {
    const mark = `/run/vc/owner-${this.child.pid}-`;
    return await eventually(`a daemon of ${mark} (${this.stderr})`, () => {
      for (const daemon of pids()) {
        const argv = commandLine(daemon);
        const [root = "", id = ""] = ["--root", "--id"].map((name) => argv[argv.indexOf(name) + 1] ?? "");
        if (root.startsWith(mark)) return { root, ids: [id], daemon };
      }
      return undefined;
    });
  }
}

function installLibrary(directory: string): void {
  const scope = join(directory, "node_modules/@kata-containers");
  mkdirSync(scope, { recursive: true });
  symlinkSync(join(repository, "build/node"), join(scope, "node"));
}

function commandLine(pid: number): string[] {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, "utf8").split("\0");
  } catch {
    return [];
  }
}
