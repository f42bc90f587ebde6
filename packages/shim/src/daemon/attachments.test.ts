import type { GuestProcess } from "@kata-containers/virtcontainers";
import { expect, test } from "vitest";
import { Attachments } from "./attachments.ts";

const never = new Promise<void>(() => {});
const process = (name: string): GuestProcess => ({ ref: { execId: name } }) as unknown as GuestProcess;
const patient = { shimMs: 60_000, processMs: 60_000 };

test.each(["the process", "the kata-shim"])("they meet when %s comes first", async (first) => {
  const attachments = new Attachments(patient);
  const offer = () => attachments.offer("c", process("p"));
  const attach = () => attachments.attach("c", 7, never);
  const [pid, met] =
    first === "the process"
      ? await Promise.all([offer(), attach()])
      : await Promise.all([attach(), offer()]).then(([met, pid]) => [pid, met] as const);
  expect(pid).toBe(7);
  expect(met.ref.execId).toBe("p");
  expect(attachments.waiting).toBe(0);
});

test("a kata-shim that leaves, because its process could not be made, leaves nothing", async () => {
  const attachments = new Attachments(patient);
  let leave: () => void = () => {};
  const gone = new Promise<void>((resolve) => {
    leave = resolve;
  });
  const attached = attachments.attach("c", 7, gone);
  leave();
  await expect(attached).rejects.toThrow("kata-shim left");
  expect(attachments.waiting).toBe(0);
});

test("the next process of that name does not meet the kata-shim that has left", async () => {
  const attachments = new Attachments(patient);
  await expect(attachments.attach("c", 7, Promise.resolve())).rejects.toThrow("kata-shim left");
  const [pid] = await Promise.all([attachments.offer("c", process("p")), attachments.attach("c", 8, never)]);
  expect(pid).toBe(8);
});

test("who waits too long is told, and leaves nothing", async () => {
  const attachments = new Attachments({ shimMs: 1, processMs: 1 });
  await expect(attachments.offer("a", process("p"))).rejects.toThrow("no kata-shim came");
  await expect(attachments.attach("b", 7, never)).rejects.toThrow("the process was not created");
  expect(attachments.waiting).toBe(0);
});
