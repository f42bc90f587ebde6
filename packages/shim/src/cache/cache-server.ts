import type { KataConfig } from "@kata-containers/config";
import { Fd, KataError, type Logger, ops, SIG, sleep, unlinkIfThere } from "@kata-containers/sys";
import { listenOnce } from "../listen-once.ts";
import { cacheFiles } from "./cache-files.ts";
import { cacheKey, obstacleToCache } from "./cache-key.ts";
import { ControlSocket, closeAll, type Message } from "./control-socket.ts";
import { Happening } from "./happening.ts";
import { dismiss, type Idle, startIdle } from "./start-idle.ts";

/** Between two attempts to make one that failed, ms: the first, and the longest. */
const [RETRY_MS, MAX_RETRY_MS] = [1_000, 60_000] as const;

/** A client says at once what it wants. */
const CLIENT_MS = 5_000;

/** Keeps as many idle daemons as the configuration asks for, and gives them away. It owns none that it gave away. */
export class CacheServer {
  readonly #config: KataConfig;
  readonly #log: Logger;
  readonly #key: string;
  #idle: Idle[] = [];
  /** Of the files that the VMs were made from. */
  #files: string;
  /** Resolves when as many are there as shall be; undefined: nothing is to be made. */
  #filling: Promise<void> | undefined;
  /** Resolves when those have ended that are not kept any more. */
  #leaving: Promise<unknown> = Promise.resolve();
  #ended = false;
  readonly #over = new Happening();
  /** Its idle daemons have ended after that. */
  readonly #gone = new Happening();
  /** Answers to those who have told it to end. */
  readonly #farewells: Promise<void>[] = [];
  readonly #full = new Happening();
  /** Resolves when as many are ready as the configuration asks for, for the first time. */
  readonly full: Promise<void> = this.#full.happened;

  /** @throws KataError NotFound naming a file that is missing */
  constructor(config: KataConfig, log: Logger) {
    this.#config = config;
    this.#log = log;
    this.#key = cacheKey(config);
    this.#files = cacheFiles(config);
  }

  /**
   * Serves until it is told to end, by SIGTERM, SIGINT or a request; its idle daemons have ended then.
   * @throws KataError AlreadyExists when somebody serves the endpoint; FailedPrecondition when no VM can wait with this configuration
   */
  async run(): Promise<void> {
    const obstacle = obstacleToCache(this.#config);
    if (obstacle !== undefined) throw new KataError("FailedPrecondition", `vm_cache_number: ${obstacle}`);
    const { vm_cache_endpoint } = this.#config.factory;
    using listener = await listenOnce(vm_cache_endpoint, "the socket vm_cache_endpoint", "is served already");
    const { dev, ino } = ops.stat(vm_cache_endpoint);
    this.#endOnSignals();
    void this.#accept(listener);
    this.#fill();
    await this.#over.happened;
    this.#ended = true;
    // Another one may have taken its place.
    const there = ops.statIfThere(vm_cache_endpoint);
    if (there?.dev === dev && there.ino === ino) unlinkIfThere(vm_cache_endpoint);
    this.#dismissAll();
    await this.#filling;
    await this.#leaving;
    this.#gone.happen();
    await Promise.allSettled(this.#farewells);
  }

  #endOnSignals(): void {
    ops.signalRead(ops.signalOpen([SIG.SIGTERM, SIG.SIGINT])).then(
      () => this.#over.happen(),
      () => {},
    );
  }

  async #accept(listener: Fd): Promise<void> {
    while (!this.#ended) {
      try {
        void this.#answer(new ControlSocket(new Fd(await ops.accept(listener.number))));
      } catch (error) {
        if (this.#ended) return;
        this.#log.warn("cannot accept a connection", { reason: KataError.from(error).message });
        await sleep(RETRY_MS);
      }
    }
  }

  async #answer(client: ControlSocket): Promise<void> {
    using _ = client;
    try {
      client.checkPeer("it is asked");
      const request = await client.receiveWithin(CLIENT_MS, "a client");
      if (request === undefined) return;
      closeAll(request.fds);
      await this.#serve(client, request.message);
    } catch (error) {
      this.#log.warn("a request failed", { reason: KataError.from(error).message });
    }
  }

  async #serve(client: ControlSocket, { take, status, quit }: Message): Promise<void> {
    if (take !== undefined) await this.#give(client, take);
    else if (status !== undefined)
      await client.send({ pid: ops.getpid(), vms: this.#idle.map(({ vm }) => vm) });
    else if (quit !== undefined) await this.#quit(client);
    else await client.send({ error: "unknown request" });
  }

  #quit(client: ControlSocket): Promise<void> {
    this.#over.happen();
    const farewell = this.#gone.happened.then(() => client.send({}));
    this.#farewells.push(farewell);
    return farewell;
  }

  /** Answers first: the next one is made while the sandbox goes on. */
  async #give(client: ControlSocket, key: unknown): Promise<void> {
    try {
      const idle = this.#pick(key);
      if (typeof idle === "string") return await client.send({ none: idle });
      using _control = idle.control;
      using _pidfd = idle.pidfd;
      await client.send({ idle: idle.vm }, [idle.control.fd.number, idle.pidfd.number]);
    } finally {
      this.#fill();
    }
  }

  /** @returns why there is none */
  #pick(key: unknown): Idle | string {
    if (key !== this.#key) return "its virtual machines have another configuration";
    try {
      this.#renew();
    } catch (error) {
      return KataError.from(error).message;
    }
    return this.#idle.shift() ?? "none is ready";
  }

  /** Those that were made from files that are others now are of no use. @throws KataError while one is replaced */
  #renew(): void {
    const files = cacheFiles(this.#config);
    if (files === this.#files) return;
    this.#files = files;
    this.#dismissAll();
  }

  get #lacks(): boolean {
    return !this.#ended && this.#idle.length < this.#config.factory.vm_cache_number;
  }

  #fill(): void {
    if (this.#filling === undefined && this.#lacks) this.#filling = this.#makeMissing();
  }

  /** One after the other: a host that starts many at once is slow for everybody. */
  async #makeMissing(): Promise<void> {
    let pause: number = RETRY_MS;
    while (this.#lacks) {
      if (await this.#makeOne()) {
        pause = RETRY_MS;
        continue;
      }
      await Promise.race([sleep(pause), this.#over.happened]);
      pause = Math.min(2 * pause, MAX_RETRY_MS);
    }
    this.#filling = undefined;
  }

  /** @returns false when that failed */
  async #makeOne(): Promise<boolean> {
    try {
      const files = this.#files;
      const { idle, warnings } = await startIdle(this.#config, this.#over.happened);
      for (const warning of warnings) this.#log.warn(warning, { pid: idle.vm.pid });
      if (this.#ended || files !== this.#files) await dismiss(idle);
      else this.#keep(idle);
      return true;
    } catch (error) {
      if (!this.#ended)
        this.#log.warn("cannot make a virtual machine", { reason: KataError.from(error).message });
      return false;
    }
  }

  #keep(idle: Idle): void {
    this.#idle.push(idle);
    if (!this.#lacks) this.#full.happen();
    ops.pidfdEnded(idle.pidfd.number).then(
      () => {
        if (!this.#idle.includes(idle)) return;
        this.#idle = this.#idle.filter((each) => each !== idle);
        this.#log.warn("an idle virtual machine has ended", { pid: idle.vm.pid });
        idle.control[Symbol.dispose]();
        idle.pidfd.close();
        this.#fill();
      },
      // It was given away, and the descriptor closed.
      () => {},
    );
  }

  #dismissAll(): void {
    const all = this.#idle;
    this.#idle = [];
    this.#leaving = Promise.all([this.#leaving, ...all.map(dismiss)]);
  }
}
