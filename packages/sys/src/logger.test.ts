import { afterEach, expect, test } from "vitest";
import { Logger, type LoggerOptions, logfmt } from "./logger.ts";
import type { Ops } from "./ops.gen.ts";
import { ops, setOps } from "./ops.ts";

const lines: string[] = [];

/** The ops a logger uses; all others throw ENOSYS as those of Node do. */
function fakeOps(): Ops {
  const fakes: Partial<Ops> = {
    realtimeMs: () => 0,
    getpid: () => 7,
    utf8Encode: (text) => new TextEncoder().encode(text),
    writeSync: (fd, bytes) => void lines.push(`${fd} ${new TextDecoder().decode(bytes)}`),
  };
  return Object.assign(Object.create(ops), fakes);
}

function logger(options: Partial<LoggerOptions> = {}): Logger {
  lines.length = 0;
  setOps(fakeOps());
  return new Logger({ fd: 2, name: "kata-agent", source: "agent", ...options });
}

afterEach(() => setOps(undefined));

test("a line has upstream's fields in logfmt", () => {
  logger().info("it works", { container: "c1", status: 0 });
  expect(lines).toEqual([
    '2 time=1970-01-01T00:00:00.000Z level=info msg="it works" pid=7 name=kata-agent source=agent container=c1 status=0\n',
  ]);
});

test("JSON is one object a line", () => {
  logger({ format: "json" }).error("broken\nline");
  expect(JSON.parse(lines[0]?.slice(2) ?? "")).toMatchObject({ level: "error", msg: "broken\nline", pid: 7 });
  expect(lines[0]?.split("\n").length).toBe(2);
});

test("lines below the level are dropped, and a logger without a descriptor is silent", () => {
  logger({ level: "warning" }).info("no");
  logger({ fd: -1 }).error("no");
  expect(lines).toEqual([]);
});

test("a child's lines carry its fields", () => {
  logger().child({ sandbox: "s1" }).warn("w");
  expect(lines[0]).toContain("level=warning");
  expect(lines[0]).toContain("sandbox=s1");
});

test("a line that cannot be written fails nobody", () => {
  const log = logger();
  setOps(undefined);
  expect(() => log.debug("dropped")).not.toThrow();
});

test("logfmt quotes what is not plain", () => {
  expect(logfmt({ a: "x y", b: 'q"', c: "", d: undefined, e: true })).toBe('a="x y" b="q\\"" c="" e=true');
});
