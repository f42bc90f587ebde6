import { SysError, setOps } from "@kata-containers/sys";
import { afterEach, expect, test } from "vitest";
import type { Agent, StreamRead } from "./agent.ts";
import { pumpInput, pumpOutput } from "./stdio-pump.ts";

afterEach(() => setOps(undefined));

const process = { containerId: "c", execId: "c" };

/** A sink that takes a block when the test says so. */
class SlowAgent implements Agent {
  readonly reads: number[] = [];
  readonly takes: { take: () => void; fail: (error: unknown) => void }[] = [];
  readonly blocks: number;
  constructor(blocks: number) {
    this.blocks = blocks;
  }
  async readInto(
    _stream: "stdout" | "stderr",
    _process: unknown,
    _max: number,
    sink: number,
  ): Promise<StreamRead> {
    this.reads.push(sink);
    if (this.reads.length > this.blocks) return { length: 0, written: Promise.resolve() };
    const written = new Promise<void>((take, fail) => this.takes.push({ take, fail }));
    return { length: 1, written };
  }
  request(): Promise<never> {
    throw new Error("not asked");
  }
  writeStdin(): Promise<void> {
    throw new Error("not asked");
  }
  close(): void {}
}

/** Lets everything run that is ready to. */
const settle = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

test("a sink that takes nothing stops the reading after two blocks", async () => {
  const agent = new SlowAgent(5);
  const pump = pumpOutput(agent, "stdout", process, 9);
  await settle();
  expect(agent.reads).toHaveLength(2);
  agent.takes[0]?.take();
  await settle();
  expect(agent.reads).toHaveLength(3);
  for (let block = 1; block < 5; block++) {
    agent.takes[block]?.take();
    await settle();
  }
  await pump;
  expect(agent.reads).toHaveLength(6);
});

test("the output has ended only when its last block is in the sink", async () => {
  const agent = new SlowAgent(1);
  let over = false;
  const pump = pumpOutput(agent, "stdout", process, 9).then(() => {
    over = true;
  });
  await settle();
  expect(over).toBe(false);
  agent.takes[0]?.take();
  await pump;
});

test("a sink that is gone does not hold the process up", async () => {
  const opened: string[] = [];
  const closed: number[] = [];
  setOps(
    new Proxy(Object.create(null), {
      get: (_, op) => (argument: never) => {
        if (op === "open") return opened.push(argument) + 99;
        if (op === "close") closed.push(argument);
        return undefined;
      },
    }),
  );
  const agent = new SlowAgent(3);
  const pump = pumpOutput(agent, "stdout", process, 9);
  await settle();
  agent.takes[0]?.fail(new SysError("EPIPE", "write"));
  for (let block = 1; block < 3; block++) {
    await settle();
    agent.takes[block]?.take();
  }
  await pump;
  expect(opened).toEqual(["/dev/null"]);
  expect(agent.reads.at(-1)).toBe(100);
  expect(closed).toEqual([100]);
});

test("input is closed in the guest after its last block, in order", async () => {
  const source = [3, 2, 0];
  setOps(
    Object.assign(Object.create(null), {
      readable: async () => {},
      readBlock: async () => ({ block: source.length, len: source.shift() }),
    }),
  );
  const said: string[] = [];
  const agent: Agent = {
    async request(method) {
      said.push(method.method);
      return method.response.empty();
    },
    readInto: () => Promise.reject(new Error("not asked")),
    async writeStdin(_process, block) {
      said.push(`write ${block.len}`);
    },
    close() {},
  };
  await pumpInput(agent, process, 7);
  expect(said).toEqual(["write 3", "write 2", "CloseStdin"]);
});

/** An agent whose processes take no input, and sources that always have as much as they are asked for. */
function blockedInput(): {
  readonly agent: Agent;
  readonly asked: number[];
  readonly fail: (() => void)[];
} {
  const asked: number[] = [];
  const fail: (() => void)[] = [];
  let block = 0;
  const readBlock = async (_source: number, max: number) => {
    asked.push(max);
    return { block: ++block, len: max };
  };
  setOps(Object.assign(Object.create(null), { readable: async () => {}, readBlock, freeBlock: () => {} }));
  const agent: Agent = {
    request: async (method) => method.response.empty(),
    readInto: () => Promise.reject(new Error("not asked")),
    writeStdin: () => new Promise<void>((_, reject) => fail.push(() => reject(new Error("ended")))),
    close() {},
  };
  return { agent, asked, fail };
}

test("input that nobody takes waits in a few large blocks, however many processes do not read", async () => {
  const { agent, asked, fail } = blockedInput();
  const pumps: Promise<void>[] = [];
  for (let n = 0; n < 200; n++) {
    pumps.push(pumpInput(agent, process, n).catch(() => {}));
    await settle();
  }
  const large = asked.filter((bytes) => bytes > 4096);
  expect(large.length).toBe(8);
  expect(asked.reduce((sum, bytes) => sum + bytes, 0)).toBeLessThanOrEqual((8 * 256 + 200 * 2 * 4) << 10);
  // They are given back when their processes end: the next one has large blocks again.
  for (const end of fail) end();
  await Promise.all(pumps);
  asked.length = 0;
  void pumpInput(agent, process, 1).catch(() => {});
  await settle();
  expect(asked).toContain(256 << 10);
});
