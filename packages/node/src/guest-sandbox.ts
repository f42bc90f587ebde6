import { refuseContainerAnnotations } from "@kata-containers/config";
import { type Process, validateContainerId } from "@kata-containers/oci";
import { Daemon } from "@kata-containers/protocols";
import { KataError, ops } from "@kata-containers/sys";
import { hex } from "@kata-containers/virtcontainers";
import type { Container, ContainerOptions, Sandbox } from "./api.ts";
import { containerBundle } from "./container-bundle.ts";
import { GuestContainer, makeContainer } from "./guest-container.ts";
import type { SandboxLink } from "./sandbox-link.ts";
import { Streams } from "./streams.ts";

/** The daemon stops the virtual machine meanwhile, within its own time-outs; this one is for a daemon that hangs. */
const DELETE_MS = 120_000;

/** A sandbox, seen from this program: its first container, and those that have joined. */
export class GuestSandbox extends GuestContainer implements Sandbox {
  readonly #joined = new Map<string, GuestContainer | undefined>();
  #closed: Promise<void> | undefined;

  /** @param joined ids of containers that are there already */
  constructor(link: SandboxLink, process: Process, streams: Streams, joined: readonly string[] = []) {
    super(link.id, link, process, streams);
    for (const id of joined) this.#joined.set(id, undefined);
  }

  async createContainer(options: ContainerOptions): Promise<Container> {
    const id = validateContainerId(options.id ?? newId());
    const bundle = containerBundle(options);
    refuseContainerAnnotations(bundle.spec.annotations);
    const streams = new Streams(options);
    try {
      this.link.store.join(id, this.id);
      try {
        await makeContainer(this.link, id, bundle, streams);
      } catch (error) {
        this.link.store.remove(id);
        throw error;
      }
    } catch (error) {
      streams[Symbol.dispose]();
      throw error;
    }
    const container = new Joined(id, this.link, bundle.process, streams, () => this.#joined.delete(id));
    this.#joined.set(id, container);
    return container;
  }

  override delete(): Promise<void> {
    this.#closed ??= this.#delete();
    return this.#closed;
  }

  close(): Promise<void> {
    this.#closed ??= this.link.inMemory ? this.#delete() : this.#letGo();
    return this.#closed;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  async #delete(): Promise<void> {
    // The sandbox's own container goes last.
    let undone = true;
    for (const id of [...this.#joined.keys(), this.id]) undone = (await this.#remove(id)) && undone;
    await this.link.end(undone);
    this.#releaseAll();
  }

  /** @returns false when the daemon could not do it: it is gone, or hangs */
  async #remove(id: string): Promise<boolean> {
    try {
      await this.link.call(Daemon.Delete, { id, force: true }, { timeoutMs: DELETE_MS });
      return true;
    } catch (error) {
      const cannotSay = ["Unavailable", "NotFound", "DeadlineExceeded"];
      if (error instanceof KataError && cannotSay.includes(error.code)) return false;
      throw error;
    }
  }

  async #letGo(): Promise<void> {
    this.link.close();
    this.#releaseAll();
  }

  #releaseAll(): void {
    this.release();
    for (const container of this.#joined.values()) container?.release();
  }
}

class Joined extends GuestContainer {
  readonly #onDeleted: () => void;

  constructor(id: string, link: SandboxLink, process: Process, streams: Streams, onDeleted: () => void) {
    super(id, link, process, streams);
    this.#onDeleted = onDeleted;
  }

  override async delete(): Promise<void> {
    await super.delete();
    this.#onDeleted();
  }
}

/** An id that nobody has chosen. */
export function newId(): string {
  return `node-${hex(ops.random(8))}`;
}
