import { type Block, type Ops, SysError, setOps } from "@kata-containers/sys";
import { afterEach, beforeEach, expect, test } from "vitest";
import { type Chunk, Output } from "./output.ts";

/** A pipe as the ops show it: readBlock waits for bytes or for cancel, readSync does not wait. */
class FakePipe {
  held: number[] = [];
  closed = 0;
  writers = true;
  #pending: { resolve(block: Block): void; reject(error: Error): void; max: number } | undefined;

  write(...bytes: number[]): void {
    this.held.push(...bytes);
    this.#serve();
  }

  ops(): Partial<Ops> {
    return {
      readBlock: (_fd, max) =>
        new Promise((resolve, reject) => {
          this.#pending = { resolve, reject, max };
          this.#serve();
        }),
      cancel: () => {
        this.#pending?.reject(new SysError("ECANCELED", "read"));
        this.#pending = undefined;
      },
      readSync: (_fd, max) => {
        if (this.held.length === 0 && this.writers) throw new SysError("EAGAIN", "read");
        return Uint8Array.from(this.held.splice(0, max));
      },
      close: () => {
        this.closed++;
      },
    };
  }

  #serve(): void {
    if (this.#pending === undefined || (this.held.length === 0 && this.writers)) return;
    const len = this.held.splice(0, this.#pending.max).length;
    this.#pending.resolve({ block: len === 0 ? 0 : 1, len });
    this.#pending = undefined;
  }
}

const size = (chunk: Chunk) => ("block" in chunk ? chunk.block.len : chunk.bytes.length);

let pipe: FakePipe;
beforeEach(() => {
  pipe = new FakePipe();
  setOps(pipe.ops() as Ops);
});
afterEach(() => setOps(undefined));

test("reads come straight from the descriptor, in order", async () => {
  const output = new Output(5, 1024);
  const first = output.read(2);
  const second = output.read(10);
  pipe.write(1, 2, 3);
  expect(size(await first)).toBe(2);
  expect(size(await second)).toBe(1);
});

test("what was written before the end is read after it, although a grandchild holds the pipe open", async () => {
  const output = new Output(5, 1024);
  pipe.write(1, 2, 3);
  output.finish();
  pipe.write(4);
  expect(pipe.closed).toBe(1);
  expect(output.ended).toBe(false);
  expect(size(await output.read(2))).toBe(2);
  expect(size(await output.read(2))).toBe(1);
  await expect(output.read(2)).rejects.toThrow(/^EOF$/);
  expect(output.ended).toBe(true);
});

test("a read that waits when the process ends gets what came with the end", async () => {
  const output = new Output(5, 1024);
  const waiting = output.read(10);
  await Promise.resolve();
  pipe.held.push(7); // an edge that has not been told yet
  output.finish();
  expect(await waiting).toEqual({ bytes: Uint8Array.of(7) });
  await expect(output.read(1)).rejects.toThrow("EOF");
});

test("a drain stops at what the pipe can hold", () => {
  const output = new Output(5, 3);
  pipe.write(1, 2, 3, 4, 5);
  output.finish();
  expect(pipe.held).toEqual([4, 5]);
});

test("a pipe without writers ends while the process goes on", async () => {
  const output = new Output(5, 1024);
  pipe.writers = false;
  await expect(output.read(1)).rejects.toThrow("EOF");
  expect(output.ended).toBe(false);
});

test("what a reader that has gone would have got is the next reader's", async () => {
  const output = new Output(5, 1024);
  const gone = new AbortController();
  const lost = output.read(10, gone.signal);
  const next = output.read(10);
  await Promise.resolve();
  gone.abort(new Error("the session ended"));
  pipe.write(1, 2, 3);
  await expect(lost).rejects.toThrow("the session ended");
  expect(size(await next)).toBe(3);
});
