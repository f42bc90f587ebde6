import { expect, test } from "vitest";
import { connectQmp, type QmpEvent, type QmpTransport } from "./qmp.ts";

/** QEMU's side of a QMP connection, in memory. */
class FakeQemu implements QmpTransport {
  readonly received: { execute: string; arguments?: unknown; id: number }[] = [];
  closed = false;
  readonly fds: (readonly number[])[] = [];
  #waiting: ((bytes: Uint8Array) => void) | undefined;
  #queue: Uint8Array[] = [];
  answer: (request: { execute: string; id: number }) => void = (request) =>
    this.say({ return: {}, id: request.id });

  read(): Promise<Uint8Array> {
    const next = this.#queue.shift();
    if (next !== undefined) return Promise.resolve(next);
    return new Promise((resolve) => {
      this.#waiting = resolve;
    });
  }
  async write(bytes: Uint8Array, fds: readonly number[]): Promise<void> {
    this.fds.push(fds);
    const request = JSON.parse(new TextDecoder().decode(bytes));
    this.received.push(request);
    this.answer(request);
  }
  close(): void {
    this.closed = true;
  }
  say(message: unknown): void {
    this.sayBytes(new TextEncoder().encode(`${JSON.stringify(message)}\r\n`));
  }
  sayBytes(bytes: Uint8Array): void {
    const waiting = this.#waiting;
    this.#waiting = undefined;
    if (waiting === undefined) this.#queue.push(bytes);
    else waiting(bytes);
  }
}

function started(): FakeQemu {
  const qemu = new FakeQemu();
  qemu.say({ QMP: { version: {}, capabilities: [] } });
  return qemu;
}

test("negotiates capabilities, then runs a command and returns its value", async () => {
  const qemu = started();
  const qmp = await connectQmp(qemu, () => {}, 1000);
  qemu.answer = ({ id }) => qemu.say({ return: { running: true }, id });
  expect(await qmp.execute("query-status", undefined, 1000)).toEqual({ running: true });
  expect(qemu.received.map((each) => each.execute)).toEqual(["qmp_capabilities", "query-status"]);
});

test("descriptors go along with their command alone", async () => {
  const qemu = started();
  const qmp = await connectQmp(qemu, () => {}, 1000);
  await qmp.execute("getfd", { fdname: "tap" }, 1000, [7]);
  await qmp.execute("query-status", undefined, 1000);
  expect(qemu.fds).toEqual([[], [7], []]);
});

test("an error carries QEMU's class and text", async () => {
  const qemu = started();
  const qmp = await connectQmp(qemu, () => {}, 1000);
  qemu.answer = ({ id }) =>
    qemu.say({ error: { class: "DeviceNotFound", desc: "Device 'x' not found" }, id });
  await expect(qmp.execute("device_del", { id: "x" }, 1000)).rejects.toMatchObject({
    code: "Internal",
    message: "QMP: DeviceNotFound: Device 'x' not found",
  });
});

test("events are heard, also between a command and its answer, and split over reads", async () => {
  const qemu = started();
  const events: QmpEvent[] = [];
  const qmp = await connectQmp(qemu, (event) => events.push(event), 1000);
  qemu.answer = ({ id }) => {
    const text = new TextEncoder().encode(`{"event":"STOP","data":{"é":1}}\n{"return":1,"id":${id}}\n`);
    for (const byte of text) qemu.sayBytes(Uint8Array.of(byte));
  };
  expect(await qmp.execute("stop", undefined, 1000)).toBe(1);
  expect(events).toEqual([{ name: "STOP", details: { é: 1 } }]);
});

test("a command without an answer ends at its deadline, and a late answer harms nobody", async () => {
  const qemu = started();
  const qmp = await connectQmp(qemu, () => {}, 1000);
  qemu.answer = () => {};
  await expect(qmp.execute("stop", undefined, 1)).rejects.toMatchObject({ code: "DeadlineExceeded" });
  qemu.say({ return: {}, id: 2 });
  qemu.answer = ({ id }) => qemu.say({ return: 7, id });
  expect(await qmp.execute("cont", undefined, 1000)).toBe(7);
});

test("when QEMU goes, what waits fails, and so does what comes after", async () => {
  const qemu = started();
  const qmp = await connectQmp(qemu, () => {}, 1000);
  qemu.answer = () => qemu.sayBytes(new Uint8Array());
  await expect(qmp.execute("stop", undefined, 1000)).rejects.toMatchObject({ code: "Unavailable" });
  await expect(qmp.execute("cont", undefined, 1000)).rejects.toMatchObject({ code: "Unavailable" });
});

test("a message without an end is refused before it fills the memory", async () => {
  const qemu = started();
  const qmp = await connectQmp(qemu, () => {}, 1000);
  qemu.answer = () => {
    for (let part = 0; part < 40; part++) qemu.sayBytes(new Uint8Array(65536).fill(32));
  };
  await expect(qmp.execute("stop", undefined, 1000)).rejects.toMatchObject({ code: "Unavailable" });
  expect(qemu.closed).toBe(true);
});

test("no greeting, no connection", async () => {
  await expect(connectQmp(new FakeQemu(), () => {}, 1)).rejects.toMatchObject({ code: "DeadlineExceeded" });
});
