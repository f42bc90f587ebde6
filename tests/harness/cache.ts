import { type ChildProcess, spawn } from "node:child_process";
import { eventually, run, statusOf } from "./process.ts";
import { kataRuntime } from "./programs.ts";

/** As long as two virtual machines may take to wait, on a busy machine: the first makes the template. Less than a hook of a test's may. */
const FULL_MS = 90_000;

/** `kata-runtime factory init` with a configuration that has a cache. */
export class CacheServer implements AsyncDisposable {
  readonly #configuration: string;
  readonly #count: number;
  readonly #server: ChildProcess;

  private constructor(configuration: string, count: number) {
    this.#configuration = configuration;
    this.#count = count;
    this.#server = spawn(kataRuntime, ["--config", configuration, "factory", "init"], {
      stdio: ["ignore", "ignore", "inherit"],
    });
  }

  /** Starts it, until all wait. @param count what `vm_cache_number` is */
  static async start(configuration: string, count: number): Promise<CacheServer> {
    const server = new CacheServer(configuration, count);
    try {
      await server.full();
      return server;
    } catch (error) {
      await server[Symbol.asyncDispose]();
      throw error;
    }
  }

  /** Resolves when as many wait as are to. */
  async full(): Promise<void> {
    await eventually("a full cache", async () => (await this.#isFull()) || undefined, FULL_MS);
  }

  /** @throws Error when nobody makes the cache full any more */
  async #isFull(): Promise<boolean> {
    const { exitCode, signalCode } = this.#server;
    if (exitCode !== null || signalCode !== null)
      throw new Error(`kata-runtime factory init: ended with ${exitCode ?? signalCode}`);
    const { status, stdout } = await this.#factory("status", "--format", "json");
    if (status !== 0) return false;
    return JSON.parse(stdout).cache?.vms.length === this.#count;
  }

  #factory(...args: string[]) {
    return run(kataRuntime, ["--config", this.#configuration, "factory", ...args]);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const { status } = await this.#factory("destroy");
    if (status !== 0) this.#server.kill("SIGKILL");
    await statusOf(this.#server);
  }
}
