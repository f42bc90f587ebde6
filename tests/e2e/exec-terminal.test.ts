import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { onOwnTerminal, sayingSizes, talkOnConsole } from "../harness/console.ts";
import { read } from "../harness/leaks.ts";
import { useSharedRuntime } from "../harness/runtime.ts";

const runtime = useSharedRuntime();
let id: Promise<string> | undefined;

/** One container for all. */
function container(): Promise<string> {
  id ??= runtime.start();
  return id;
}

/** A process as `exec --process` takes it. */
function processFile(name: string, process: object): string {
  const file = runtime.scratch.join(name);
  const whole = { cwd: "/", user: { uid: 0, gid: 0 }, env: ["PATH=/bin", "TERM=xterm"], ...process };
  writeFileSync(file, JSON.stringify(whole));
  return file;
}

/** Ends what stands for the process, if the end of its terminal has not: the receiver was the last who had the master. */
function endKataShim(pidFile: string): number {
  const pid = Number(readFileSync(pidFile, "utf8"));
  if (read(`/proc/${pid}/cmdline`).includes("kata-shim")) signalIfThere(pid, "SIGKILL");
  return pid;
}

function signalIfThere(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(pid, signal);
  } catch (error) {
    if (!(error instanceof Error && "code" in error && error.code === "ESRCH")) throw error;
  }
}

describe("exec with a terminal", () => {
  it.each([
    ["--tty", (script: string) => ["--tty", "CONTAINER", "sh", "-c", `'${script}'`]],
    [
      "--process with a terminal",
      (script: string) => [
        "--process",
        processFile("own.json", { terminal: true, args: ["sh", "-c", script] }),
        "CONTAINER",
      ],
    ],
  ])("%s is the caller's own: raw, sized as the caller's, and restored afterwards", async (_, words) => {
    const inGuest =
      "tty >/dev/null && echo is a tty; stty size; read line; echo got:$line; echo err >&2; exit 6";
    const name = await container();
    const args = words(inGuest).map((word) => (word === "CONTAINER" ? name : word));
    const text = await onOwnTerminal(runtime, ["exec", ...args]);
    // What script(1) types before the terminal is raw is echoed, in the middle of any line.
    expect(text).toContain("is a tty\n");
    expect(text).toContain("41 97\n");
    expect(text).toContain("got:hello\n");
    expect(text).toContain("err\n");
    expect(text).toContain("status:6\n");
    expect(text).toMatch(/\nicanon\n$/);
  });

  it("--detach: its master goes to the console socket, and resizing it resizes the guest's", async () => {
    const name = await container();
    const pidFile = runtime.scratch.join("tty.pid");
    const options = ["--detach", "--tty", "--pid-file", pidFile, "--console-socket"];
    const ended = await talkOnConsole(runtime, (socket) => [
      "exec",
      ...options,
      socket,
      name,
      ...sayingSizes,
    ]);
    expect(ended).toMatchObject({ status: 0, stderr: "" });
    expect(ended.stdout.replaceAll("\r", "")).toContain("30 100\n");
    const pid = endKataShim(pidFile);
    await expect.poll(() => existsSync(`/proc/${pid}`)).toBe(false);
  });

  it("--process with a terminal: its size is the terminal's first one, until the master says another", async () => {
    const name = await container();
    const file = processFile("console.json", {
      terminal: true,
      consoleSize: { height: 20, width: 70 },
      args: sayingSizes,
    });
    const pidFile = runtime.scratch.join("process.pid");
    const options = ["--detach", "--process", file, "--pid-file", pidFile, "--console-socket"];
    const ended = await talkOnConsole(runtime, (socket) => ["exec", ...options, socket, name]);
    expect(ended).toMatchObject({ status: 0, stderr: "" });
    expect(ended.stdout.replaceAll("\r", "")).toMatch(/^20 70\n(.*\n)*30 100\n/);
    endKataShim(pidFile);
  });

  it.each([
    [["--detach", "--tty"], "cannot allocate tty if kata-runtime will detach without setting console socket"],
    [
      ["--tty", "--console-socket", "/no.sock"],
      "cannot use console socket if kata-runtime will not detach or allocate tty",
    ],
    [
      ["--detach", "--console-socket", "/no.sock"],
      "cannot use console socket if kata-runtime will not detach or allocate tty",
    ],
    [["--detach", "--tty", "--console-socket", "/no.sock"], "/no.sock"],
  ])("refuses %j, and runs nothing", async (options, message) => {
    const name = await container();
    const ended = await runtime.kata(["exec", ...options, name, "touch", "/ran"]);
    expect(ended).toMatchObject({ status: expect.any(Number), stderr: expect.stringContaining(message) });
    expect(ended.status).not.toBe(0);
    expect(ended.stderr.trim().split("\n")).toHaveLength(1);
    expect((await runtime.kata(["exec", name, "ls", "/ran"])).status).toBe(1);
  });
});
