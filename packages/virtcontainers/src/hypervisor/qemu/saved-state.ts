import { deadline, type Fd, KataError } from "@kata-containers/sys";
import type { Command } from "./nic-slots.ts";

// A VM's state, without its memory, by QEMU's migration: qapi/migration.json.

/** Writing or reading half a megabyte, on a host that is out of CPU. */
const MIGRATION_TIMEOUT_MS = 10_000;

/** QEMU's name for the descriptor. */
const FD_NAME = "state";

/** Its state and its memory are apart: the memory is a file already. And it says when it is done. */
const CAPABILITIES = ["x-ignore-shared", "events"].map((capability) => ({ capability, state: true }));

/** Moves the state of a QEMU out of it or into it. */
export class StateTransfer {
  readonly #command: Command;
  #status: (status: unknown) => void = () => {};

  constructor(command: Command) {
    this.#command = command;
  }

  /** QEMU says how far it is: the details of a MIGRATION event. */
  migrationEvent(details: unknown): void {
    if (typeof details === "object" && details !== null && "status" in details) this.#status(details.status);
  }

  /** @throws KataError with QEMU's reason */
  async write(state: Fd): Promise<void> {
    await this.#command("stop", {});
    await this.#move("migrate", state);
  }

  /** Into a QEMU that was started to wait for it, which does not run then. @throws KataError with QEMU's reason */
  read(state: Fd): Promise<void> {
    return this.#move("migrate-incoming", state);
  }

  async #move(command: "migrate" | "migrate-incoming", state: Fd): Promise<void> {
    await this.#command("migrate-set-capabilities", { capabilities: CAPABILITIES });
    await this.#command("getfd", { fdname: FD_NAME }, [state.number]);
    // Heard from here on: it may be over before the command is answered.
    const over = new Promise<"completed" | "failed">((resolve) => {
      this.#status = (status) => {
        if (status === "completed" || status === "failed") resolve(status);
      };
    });
    await this.#command(command, { uri: `fd:${FD_NAME}` });
    const outcome = await deadline(over, MIGRATION_TIMEOUT_MS, () => late(command));
    if (outcome === "failed")
      throw new KataError("Internal", `QEMU: ${command} failed: ${await this.#reason()}`);
  }

  /** The event does not tell. */
  async #reason(): Promise<string> {
    const answer = await this.#command("query-migrate", {}).catch(() => undefined);
    const told = typeof answer === "object" && answer !== null && "error-desc" in answer;
    return told ? String(answer["error-desc"]) : "no reason given";
  }
}

function late(command: string): KataError {
  return new KataError("DeadlineExceeded", `QEMU: ${command} did not end within ${MIGRATION_TIMEOUT_MS} ms`);
}
