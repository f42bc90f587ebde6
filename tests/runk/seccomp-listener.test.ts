import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, describe, expect, test } from "vitest";
import { Bundle, script } from "./bundle.ts";

/** A profile that leaves calls to a program of the host (SCMP_ACT_NOTIFY, listenerPath). */

let bundle: Bundle | undefined;
let agent: ChildProcess | undefined;
afterEach(async () => {
  agent?.kill("SIGKILL");
  agent = undefined;
  await bundle?.close();
  bundle = undefined;
});

/**
 * Answers every call that it is told of with an errno, 0: it is let through. Writes the messages that came with listeners to a file, one
 * line each. Python, for Node takes no descriptors from a socket.
 */
const AGENT = `
import array, ctypes, fcntl, os, socket, struct, sys, threading
server = socket.socket(socket.AF_UNIX)
server.bind(sys.argv[1])
server.listen()
print("listening", flush=True)
RECV, SEND, CONTINUE = 0xc0502100, 0xc0182101, 1
def answer(fd):
    while True:
        request = bytearray(80)
        try:
            fcntl.ioctl(fd, RECV, request)
            id, pid, flags, number = struct.unpack_from("=QIIi", request)
            errno = int(sys.argv[2])
            fcntl.ioctl(fd, SEND, bytearray(struct.pack("=QqiI", id, 0, -errno, 0 if errno else CONTINUE)))
        except OSError:
            return
while True:
    peer, _ = server.accept()
    message, ancillary, _, _ = peer.recvmsg(65536, 64)
    fds = array.array("i", ancillary[0][2])
    with open(sys.argv[1] + ".log", "a") as log:
        print(message.decode(), file=log)
    threading.Thread(target=answer, args=(fds[0],), daemon=True).start()
`;

async function listening(container: Bundle, errno: number): Promise<void> {
  const file = join(container.path, "agent.py");
  writeFileSync(file, AGENT);
  const path = join(container.path, "listener");
  agent = spawn("python3", [file, path, `${errno}`], { stdio: ["ignore", "pipe", "inherit"] });
  const { stdout } = agent;
  if (stdout !== null) await Promise.race([once(stdout, "data"), once(agent, "exit")]);
}

function messages(container: Bundle) {
  const log = readFileSync(join(container.path, "listener.log"), "utf8");
  return log
    .trim()
    .split("\n")
    .map((line) => JSON.parse(line));
}

function notifying(noNewPrivileges: boolean, names: readonly string[], text: string): Bundle {
  bundle = new Bundle();
  const { path } = bundle;
  bundle.configure((spec) => {
    script(text)(spec);
    spec.process.noNewPrivileges = noNewPrivileges;
    spec.root.readonly = false;
    spec.linux.seccomp = {
      defaultAction: "SCMP_ACT_ALLOW",
      listenerPath: join(path, "listener"),
      listenerMetadata: "to whom it may concern",
      syscalls: [{ names, action: "SCMP_ACT_NOTIFY" }],
    };
  });
  return bundle;
}

describe.each([
  ["with no_new_privs", true],
  ["without", false],
])("%s", (_, noNewPrivileges) => {
  test("a program of the host answers for the container's calls, and knows whose they are", async () => {
    const container = notifying(noNewPrivileges, ["mkdir"], "mkdir /tmp/x 2>&1; sleep 60");
    await listening(container, 28);
    const id = container.id();
    expect(container.runk("run", "--detach", id).status).toBe(0);
    const { stderr } = container.runk("exec", id, "mkdir", "/tmp/y");
    expect(stderr).toBe("mkdir: can't create directory '/tmp/y': No space left on device\n");
    const { pid } = JSON.parse(container.runk("state", id).stdout);
    const [first, second] = messages(container);
    expect(first).toEqual({
      ociVersion: "1.2.0",
      fds: ["seccompFd"],
      pid,
      metadata: "to whom it may concern",
      state: {
        ociVersion: "1.0.2",
        id,
        status: "creating",
        pid,
        bundle: container.path,
        annotations: {},
      },
    });
    expect(second).toMatchObject({ state: { id, status: "running", pid } });
    expect(second.pid).not.toBe(pid);
  });

  test("calls of ours on the way to the program may be asked about, too", async () => {
    const container = notifying(noNewPrivileges, ["sendmsg", "close", "wait4", "chdir"], "echo done");
    await listening(container, 0);
    expect(container.run().stdout).toBe("done\n");
  });
});

test("create fails when nobody listens, and leaves nothing", () => {
  const container = notifying(true, ["mkdir"], "true");
  const { status, stderr } = container.run();
  expect(stderr).toMatch(/seccomp listener: connect \S+\/listener: ENOENT/);
  expect(status).not.toBe(0);
});
