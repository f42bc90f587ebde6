// QMP, QEMU's protocol: a JSON object a line (QEMU, docs/interop/qmp-spec.txt).
import { EventEmitter } from "node:events";
import { createInterface } from "node:readline";

/** One end of a QMP connection. It emits QEMU's events by their names, with their data. */
export class Qmp extends EventEmitter {
  /** @type {import("node:net").Socket} */
  #socket;
  /** Those whose answer is to come. @type {{resolve: (value: any) => void, reject: (error: Error) => void}[]} */
  #waiting = [];

  /** @param {import("node:net").Socket} socket */
  constructor(socket) {
    super();
    this.#socket = socket;
    createInterface({ input: socket }).on("line", (line) => this.#take(JSON.parse(line)));
    socket.on("close", () => {
      for (const { reject } of this.#waiting.splice(0)) reject(new Error("QEMU ended"));
    });
  }

  /**
   * @param {string} execute the command's name @param {object} [words] its arguments
   * @returns {Promise<any>} what QEMU returns; rejects with QEMU's reason
   */
  command(execute, words = {}) {
    return new Promise((resolve, reject) => {
      this.#waiting.push({ resolve, reject });
      this.#socket.write(`${JSON.stringify({ execute, arguments: words })}\n`);
    });
  }

  /** @param {{event?: string, data?: object, return?: unknown, error?: {desc: string}}} message */
  #take(message) {
    if (message.event !== undefined) this.emit(message.event, message.data);
    else if (message.error !== undefined) this.#waiting.shift()?.reject(new Error(message.error.desc));
    else if ("return" in message) this.#waiting.shift()?.resolve(message.return);
  }
}
