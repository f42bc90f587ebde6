import { writeFileSync } from "node:fs";
import { type Ended, run } from "./process.ts";
import type { Runtime } from "./runtime.ts";

let count = 0;

/** What a process does that talks on a console: it says its terminal's size, and once more for each line. */
export const sayingSizes = ["sh", "-c", "stty size; while read x; do stty size; done"];

/**
 * A command of kata-runtime's, words for a shell, on a terminal of 41 rows of 97 columns, which gets "hello" for input.
 * @returns what is seen on it without carriage returns, and then the command's status and whether the terminal is canonical again
 */
export async function onOwnTerminal(runtime: Runtime, args: readonly string[]): Promise<string> {
  const command = runtime.command(args).join(" ");
  const script = `stty rows 41 cols 97; ${command}; echo status:$?; stty -a | grep -o -e '-\\?icanon'`;
  // script(1) gives its command a terminal of its own, and copies stdin to it.
  const ended = await run("script", ["-qec", script, "/dev/null"], { input: "hello\n" });
  return ended.stdout.replaceAll("\r", "");
}

/**
 * Plays conmon's part: a command of kata-runtime's that sends a terminal's master to a console socket, other commands, and then, when
 * the process (`sayingSizes`) has spoken, the master: the terminal is made 30 rows of 100 columns.
 * @returns what the process has said, up to that size or for 30 s
 */
export function talkOnConsole(
  runtime: Runtime,
  command: (socket: string) => readonly string[],
  ...others: readonly (readonly string[])[]
): Promise<Ended> {
  const socket = runtime.scratch.join(`console-${count++}.sock`);
  const program = runtime.scratch.join("console.py");
  writeFileSync(program, consoleReceiver);
  const commands = [command(socket), ...others].map((args) => runtime.command(args));
  return run("python3", [program, socket, JSON.stringify(commands)]);
}

/** Receives the master by SCM_RIGHTS, which Node cannot. */
const consoleReceiver = `
import array, fcntl, json, os, select, socket, struct, subprocess, sys, termios, time
path, commands = sys.argv[1], json.loads(sys.argv[2])
listener = socket.socket(socket.AF_UNIX)
listener.bind(path)
listener.listen(1)
listener.settimeout(30)
sender = subprocess.Popen(commands[0])
connection = listener.accept()[0]
message, ancillary, _, _ = connection.recvmsg(4096, socket.CMSG_SPACE(4))
master = array.array("i", ancillary[0][2])[0]
assert message.startswith(b"/dev/pts/"), message
assert sender.wait(60) == 0
for command in commands[1:]: assert subprocess.call(command) == 0
seen = b""
end = time.monotonic() + 30
def hear(seconds):
    global seen
    while select.select([master], [], [], seconds)[0]: seen += os.read(master, 65536)
while b"\\n" not in seen and time.monotonic() < end: hear(0.1)
fcntl.ioctl(master, termios.TIOCSWINSZ, struct.pack("HHHH", 30, 100, 0, 0))
while b"30 100" not in seen and time.monotonic() < end:
    os.write(master, b"\\n")
    hear(0.3)
sys.stdout.buffer.write(seen)
`;
