import { deadline, Fd, KataError, ops, SIG, signalIfAlive } from "@kata-containers/sys";

const TIMEOUT_MS = 10_000;
const MAX_BYTES = 16 << 20;

/**
 * Runs a program to its end and gives what it wrote on standard output and error.
 * @throws KataError when it cannot be executed, exits with another status than 0, or takes longer than 10 s
 */
export async function runProgram(path: string, ...args: string[]): Promise<string> {
  const [readEnd = -1, writeEnd = -1] = ops.pipe();
  using output = new Fd(readEnd);
  const { pidfd } = spawn(path, args, writeEnd);
  using child = new Fd(pidfd);
  const ended = ops.waitPidfd(child.number);
  try {
    const late = () => new KataError("DeadlineExceeded", `${path} did not end within ${TIMEOUT_MS / 1000} s`);
    const [text, status] = await deadline(Promise.all([readAll(output), ended]), TIMEOUT_MS, late);
    if (status.code === 0) return text;
    const how = status.signal === undefined ? `status ${status.code}` : `signal ${status.signal}`;
    throw new KataError(
      "FailedPrecondition",
      `${path} ended with ${how}: ${text.trim().split("\n")[0] ?? ""}`,
    );
  } catch (error) {
    await endOf(child, ended);
    throw error;
  }
}

function spawn(path: string, args: readonly string[], writeEnd: number) {
  using write = new Fd(writeEnd);
  const fds = [1, 2].map((to) => ({ from: write.number, to }));
  try {
    return ops.spawn({ path, argv: [path, ...args], env: [], cwd: "/", fds });
  } catch (error) {
    throw KataError.from(error, `cannot run ${path}`);
  }
}

async function readAll(pipe: Fd): Promise<string> {
  let text = "";
  for (;;) {
    const bytes = await ops.read(pipe.number, 65536);
    if (bytes.length === 0) return text;
    if (text.length > MAX_BYTES)
      throw new KataError("ResourceExhausted", `more than ${MAX_BYTES} bytes of output`);
    text += ops.utf8Decode(bytes);
  }
}

async function endOf(child: Fd, ended: Promise<unknown>): Promise<void> {
  signalIfAlive(child.number, SIG.SIGKILL);
  await ended;
}
