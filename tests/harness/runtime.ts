import { type ChildProcess, type SpawnOptions, spawn } from "node:child_process";
import { mkdirSync } from "node:fs";
import { afterAll, afterEach, expect } from "vitest";
import { type BundleOptions, makeBundle } from "./bundle.ts";
import { expectNoLeaks } from "./leaks.ts";
import { type Ended, type RunOptions, run } from "./process.ts";
import { configurationFile, kataRuntime, Scratch } from "./programs.ts";

let suites = 0;

/** kata-runtime with a state root and ids of a suite's own, so that what it leaves can be told from everything else. */
export class Runtime {
  readonly scratch = new Scratch();
  #root: string | undefined;
  readonly #ids: string[] = [];
  readonly #children: ChildProcess[] = [];
  configuration = configurationFile;

  /** Made when it is first asked for: a suite of which no test is chosen has no hook that would remove it. */
  get root(): string {
    if (this.#root === undefined) {
      this.#root = this.scratch.join("state");
      mkdirSync(this.#root);
    }
    return this.#root;
  }

  get log(): string {
    return this.scratch.join("runtime.log");
  }

  /** A new id; whatever bears it must be gone in the end. */
  newId(): string {
    const id = `e2e-${process.pid}-${suites++}`;
    this.#ids.push(id);
    return id;
  }

  /** A new bundle. */
  bundle(options: BundleOptions = {}): string {
    return makeBundle(this.scratch.join(`bundle-${suites++}`), options);
  }

  globals(): string[] {
    // With a log, warnings (a host without KVM) are in it, and standard error is empty unless something fails.
    return ["--root", this.root, "--log", this.log, "--config", this.configuration];
  }

  /** kata-runtime with these arguments, to its end. */
  kata(args: readonly string[], options?: RunOptions): Promise<Ended> {
    return run(kataRuntime, [...this.globals(), ...args], options);
  }

  /** The same; fails unless it succeeds. */
  async ok(args: readonly string[], options?: RunOptions): Promise<string> {
    const ended = await this.kata(args, options);
    expect(ended, `kata-runtime ${args.join(" ")}: ${ended.stderr}`).toMatchObject({ status: 0 });
    return ended.stdout;
  }

  /** kata-runtime, running: the caller deals with its stdio. Killed at the end of the suite. */
  spawn(args: readonly string[], options: SpawnOptions): ChildProcess {
    const [program = "", ...words] = this.command(args);
    return this.spawnProgram(program, words, options);
  }

  /** The words that start kata-runtime with these arguments, for programs that start it themselves. */
  command(args: readonly string[]): string[] {
    return [kataRuntime, ...this.globals(), ...args];
  }

  /** Another program, killed at the end of the suite as well. */
  spawnProgram(program: string, args: readonly string[], options: SpawnOptions): ChildProcess {
    const child = spawn(program, args, options);
    this.#children.push(child);
    return child;
  }

  async state(
    id: string,
  ): Promise<{ status: string; pid: number; bundle: string; ociVersion: string; id: string }> {
    return JSON.parse(await this.ok(["state", id]));
  }

  /** A container that was created; it would run `sleep`, unless told otherwise. */
  create(options: BundleOptions = {}, args: readonly string[] = []): Promise<string> {
    return this.createFrom(this.bundle({ args: ["sleep", "1000"], ...options }), args);
  }

  /** The same from a bundle. Its stdio is on /dev/null: it must not keep our pipes, or nobody sees their end. */
  async createFrom(bundle: string, args: readonly string[] = []): Promise<string> {
    const id = this.newId();
    const child = this.spawn(["create", "--bundle", bundle, ...args, id], {
      stdio: ["ignore", "ignore", "pipe"],
    });
    expect(await exitOf(child), `create ${id}`).toEqual({ status: 0, stderr: "" });
    return id;
  }

  /** The same, started. */
  async start(options: BundleOptions = {}, args: readonly string[] = []): Promise<string> {
    const id = await this.create(options, args);
    await this.ok(["start", id]);
    return id;
  }

  async removeAll(): Promise<void> {
    for (const child of this.#children) child.kill("SIGKILL");
    for (const id of this.#ids) await this.kata(["delete", "--force", id]);
  }

  traces() {
    return { root: this.root, ids: this.#ids };
  }
}

/** How long what a program has written before its end may take to reach us, on a busy machine. */
const LAST_WORDS_MS = 2_000;

/** The status and what was said on stderr; does not wait for the end of stderr, which a container may have inherited. */
export function exitOf(child: ChildProcess): Promise<{ status: number | null; stderr: string }> {
  let stderr = "";
  child.stderr?.on("data", (chunk) => {
    stderr += chunk;
  });
  return new Promise((resolve) => {
    const end = (status: number | null) => {
      child.stderr?.destroy();
      resolve({ status, stderr });
    };
    // A container may keep the pipe open: that of a create that failed in the end as well. Last words are still in there, at most.
    child.on("exit", (status) => {
      if (status === 0) setImmediate(() => end(status));
      else setTimeout(() => end(status), LAST_WORDS_MS);
    });
    child.on("close", end);
  });
}

/** A runtime for a suite. After each test everything is deleted, and nothing of it may be left on the host. */
export function useRuntime(): Runtime {
  const runtime = new Runtime();
  afterEach(async () => {
    await runtime.removeAll();
    await expectNoLeaks(runtime.traces());
  });
  afterAll(() => runtime.scratch[Symbol.dispose]());
  return runtime;
}

/** The same for a suite whose tests share containers: looked at once, at the end. */
export function useSharedRuntime(): Runtime {
  const runtime = new Runtime();
  afterAll(async () => {
    await runtime.removeAll();
    await expectNoLeaks(runtime.traces());
    runtime.scratch[Symbol.dispose]();
  });
  return runtime;
}
