import {
  deadline,
  describeError,
  Fd,
  isSysError,
  O,
  type Ops,
  ops,
  readText,
  removeTree,
  SysError,
  setOps,
} from "../index.ts";

interface Test {
  readonly name: string;
  readonly run: (directory: string) => Promise<void> | void;
  /** About all tests before it: makes sense only when those ran. */
  readonly last?: boolean;
}

/** Where the tests run: on our own engine, or in Node.js, where this process is not ours alone. */
export const host = {
  own: true,
  /** The program that plays the children's roles: always our own engine. */
  program: "/proc/self/exe",
};

const tests: Test[] = [];
const children = new Map<string, (argument: string) => Promise<number> | number>();

/** One test; it gets an empty directory of its own, removed afterwards. */
export function test(name: string, run: (directory: string) => Promise<void> | void): void {
  tests.push({ name, run });
}

/** A test of our own engine, or of what only a program of our own may do: left out in a host program. */
export function ownTest(name: string, run: (directory: string) => Promise<void> | void): void {
  if (host.own) test(name, run);
}

/** A test of what all the others have done: runs when none was left out. */
export function lastTest(name: string, run: (directory: string) => Promise<void> | void): void {
  tests.push({ name, run, last: true });
}

/** A role that this program plays when a test starts it by {@link startChild}. */
export function child(role: string, run: (argument: string) => Promise<number> | number): void {
  children.set(role, run);
}

/** A file, shared with the children, of the ops whose errors were tested: one name a line. */
let tried = -1;
/** Its number in a child. */
const CHILDS_TRIED = 9;

/** Names of the ops that {@link fails} saw fail, here and in children, but by ECANCELED alone. */
export function opsTriedWithErrors(): ReadonlySet<string> {
  return new Set(text(ops.pread(tried, 1 << 20, 0)).split("\n"));
}

/** Longest a test may take. */
const TEST_MS = 20_000;

/** Runs the role asked for, or all tests (those whose name holds the argument, if given); returns the exit status. */
export async function runAll(argv: readonly string[]): Promise<number> {
  if (argv[1] === "--child") {
    const role = children.get(argv[2] ?? "");
    if (role === undefined) throw new Error(`no role ${argv[2]}`);
    tried = CHILDS_TRIED;
    return role(argv[3] ?? "");
  }
  let failed = 0;
  tried = ops.memfd("tried", false);
  const part = argv[1];
  const chosen = tests.filter(({ name, last }) => part === undefined || (!last && name.includes(part)));
  for (const { name, run } of chosen) {
    const directory = `/tmp/engine-tests.${ops.getpid()}`;
    ops.mkdir(directory, 0o700);
    try {
      const open = openDescriptors();
      await deadline(Promise.resolve(run(directory)), TEST_MS, () => new Error("takes too long"));
      equal(openDescriptors(), open, "descriptors open afterwards");
      console.log(`ok   ${name}`);
    } catch (error) {
      failed++;
      console.log(`FAIL ${name}\n${describeError(error)}`);
    } finally {
      removeTree(directory);
    }
  }
  console.log(`${chosen.length - failed} passed, ${failed} failed`);
  return failed === 0 && chosen.length > 0 ? 0 : 1;
}

/** What an engine waits with stays, once it is there. */
const OWN_WAITING = /\[(eventpoll|eventfd)\]/;

/** Every child was waited for. In a host program they may be anybody's. */
export function noChildIsLeft(): void {
  if (host.own) equal(ops.reapAny(), undefined, "children left");
}

function openDescriptors(): string {
  // The listing's own descriptor is gone when its link is read.
  const names = ops.readdir("/proc/self/fd").map(({ name }) => name);
  const targets = names.map((name) => {
    try {
      return `${name} ${ops.readlink(`/proc/self/fd/${name}`)}`;
    } catch {
      return "";
    }
  });
  return targets.filter((target) => target !== "" && !OWN_WAITING.test(target)).join("\n");
}

/** Starts this program in a role, its standard output on a pipe. */
export function startChild(
  role: string,
  argument = "",
  options: { path?: string; unshare?: number; join?: number[]; stderr?: number } = {},
): { pid: number; pidfd: Fd; output: Fd } {
  const [read = -1, write = -1] = ops.pipe();
  using end = new Fd(write);
  const { path = host.program, stderr = 2, ...more } = options;
  const spawned = ops.spawn({
    path,
    argv: ["engine-tests", "--child", role, argument],
    env: [],
    fds: [
      { from: end.number, to: 1 },
      { from: stderr, to: 2 },
      { from: tried, to: CHILDS_TRIED },
    ],
    ...more,
  });
  return { pid: spawned.pid, pidfd: new Fd(spawned.pidfd), output: new Fd(read) };
}

/** What a child wrote to its standard output, and how it ended. */
export async function outcomeOf(started: { pidfd: Fd; output: Fd }): Promise<{ code: number; text: string }> {
  using pidfd = started.pidfd;
  using output = started.output;
  const text = await readAll(output.number);
  const status = await ops.waitPidfd(pidfd.number);
  return { code: status.code ?? 128 + (status.signal ?? 0), text };
}

/** Runs a program; what it wrote to standard output, and how it ended. */
export async function runProgram(path: string, argv: string[]): Promise<{ code: number; text: string }> {
  const [read = -1, write = -1] = ops.pipe();
  const spawned = ops.spawn({ path, argv, env: ["PATH=/usr/bin:/bin"], fds: [{ from: write, to: 1 }] });
  ops.close(write);
  return outcomeOf({ pidfd: new Fd(spawned.pidfd), output: new Fd(read) });
}

export async function readAll(fd: number): Promise<string> {
  let text = "";
  for (;;) {
    const bytes = await ops.read(fd, 65536);
    if (bytes.length === 0) return text;
    text += ops.utf8Decode(bytes);
  }
}

/** A pipe whose ends close with it. */
export function pipe(): { read: Fd; write: Fd } & Disposable {
  const [read = -1, write = -1] = ops.pipe();
  const ends = { read: new Fd(read), write: new Fd(write) };
  return {
    ...ends,
    [Symbol.dispose]() {
      ends.read.close();
      ends.write.close();
    },
  };
}

/** A connected pair of unix sockets, closed with it. */
export function sockets(): { a: Fd; b: Fd } & Disposable {
  const [a = -1, b = -1] = ops.socketpair(1);
  const ends = { a: new Fd(a), b: new Fd(b) };
  return {
    ...ends,
    [Symbol.dispose]() {
      ends.a.close();
      ends.b.close();
    },
  };
}

/** Flags of an open description (open(2)), and O.CLOEXEC of the descriptor: proc(5), fdinfo. */
export function fileFlags(fd: number): number {
  const [, octal = ""] = /^flags:\t(\d+)$/m.exec(readText(`/proc/self/fdinfo/${fd}`)) ?? [];
  return Number.parseInt(octal, 8);
}

export function openFile(path: string, flags: number = O.RDONLY): Fd {
  return new Fd(ops.open(path, flags, 0o600));
}

export function equal(actual: unknown, expected: unknown, what = "value"): void {
  const [a, e] = [JSON.stringify(actual), JSON.stringify(expected)];
  if (a !== e) throw new Error(`${what}: expected ${e}, got ${a}`);
}

export function ok(truth: boolean, what: string): void {
  if (!truth) throw new Error(`not so: ${what}`);
}

/**
 * The call throws (or its promise rejects with) a SysError of the code; `syscall` and `path` as given.
 * @param code or one of these, where the machine decides which
 */
export async function fails(
  call: () => unknown,
  code: string | readonly string[],
  syscall?: string,
  path?: string,
): Promise<SysError> {
  const trace = new Trace();
  try {
    await trace.run(call);
  } catch (error) {
    if (!isSysError(error)) throw error;
    ok(error instanceof SysError && error instanceof Error, "the error is a SysError");
    if (typeof code === "string") equal(error.code, code, "code");
    else ok(code.includes(error.code), `${error.message}, expected one of ${code.join(", ")}`);
    const op = trace.thrower(error);
    if (op !== undefined && error.code !== "ECANCELED") ops.writeSync(tried, bytes(`${op}\n`));
    if (syscall !== undefined) equal(error.syscall, syscall, "syscall");
    if (path !== undefined) equal(error.path, path, "path");
    return error;
  }
  throw new Error(`expected ${code}, but it succeeds`);
}

/** Tells which op an error came from. */
class Trace {
  readonly #thrown = new Map<unknown, string>();
  /** The last op that returned a promise: a handler on it would hide the caller from the error's stack on Node.js. */
  #pending: string | undefined;

  /** Makes the call with an op table that notes what fails. */
  run(call: () => unknown): unknown {
    const get = (table: Ops, name: string | symbol) => this.#traced(table, String(name));
    setOps(new Proxy(ops, { get }));
    try {
      return call();
    } finally {
      setOps(undefined);
    }
  }

  #traced(table: Ops, name: string): (...args: readonly unknown[]) => unknown {
    return (...args) => {
      try {
        const result: unknown = Reflect.apply(Reflect.get(table, name), table, args);
        if (result instanceof Promise) this.#pending = name;
        return result;
      } catch (error) {
        this.#thrown.set(error, name);
        throw error;
      }
    };
  }

  thrower(error: unknown): string | undefined {
    return this.#thrown.get(error) ?? this.#pending;
  }
}

export const bytes = (text: string) => ops.utf8Encode(text);
export const text = (content: Uint8Array) => ops.utf8Decode(content);
