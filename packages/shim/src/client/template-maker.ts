import type { KataConfig } from "@kata-containers/config";
import { deadline, Fd, KataError, ops, SOCK } from "@kata-containers/sys";
import { makingSeconds } from "@kata-containers/virtcontainers";
import { endOrKill } from "../end-or-kill.ts";
import { PROGRAM_ENVIRONMENT } from "../program-environment.ts";

export interface TemplateOrder {
  readonly config: KataConfig;
  /** Its log goes to standard error. */
  readonly debug: boolean;
  /** Rejects when the template is not wanted any more. */
  readonly interrupted: Promise<never>;
}

export interface MadeTemplate {
  readonly key: string;
  /** What the log warned of meanwhile. */
  readonly warnings: readonly string[];
}

/** The other end of the socket there: the contract with containerd-shim-kata-v2 --make-template. */
const STARTER = 3;

/** On top of what it may take: for a process that does not answer at all. */
const LATE_SECONDS = 5;

/**
 * Has the configuration's template made anew, by a process that is confined as a sandbox's daemon is and that ends with this one.
 * @throws KataError naming why it cannot be made; what `interrupted` rejects with
 */
export async function makeTemplate({ config, debug, interrupted }: TemplateOrder): Promise<MadeTemplate> {
  // It may come before anybody awaits it.
  interrupted.catch(() => {});
  const [ours = -1, theirs = -1] = ops.socketpair(SOCK.STREAM);
  using socket = new Fd(ours);
  using given = new Fd(theirs);
  await ops.write(socket.number, ops.utf8Encode(`${JSON.stringify(config)}\n`));
  const maker = spawnMaker(config.runtime.shim_path, given, debug);
  given.close();
  const ended = ops.waitPidfd(maker.number);
  // Somebody else's is waited for first, and both have as much time.
  const seconds = 2 * makingSeconds(config) + LATE_SECONDS;
  const late = () => new KataError("DeadlineExceeded", `the template was not made within ${seconds} s`);
  try {
    return await deadline(Promise.race([readAnswer(socket), interrupted]), seconds * 1000, late);
  } finally {
    // It sees that, and undoes what it has begun.
    socket.close();
    using _ = maker;
    await endOrKill(maker, ended, (config.runtime.stop_timeout + LATE_SECONDS) * 1000);
  }
}

function spawnMaker(path: string, given: Fd, debug: boolean): Fd {
  const argv = ["containerd-shim-kata-v2", "--make-template", ...(debug ? ["--debug"] : [])];
  const fds = [
    { from: given.number, to: STARTER },
    { from: 2, to: 2 },
  ];
  try {
    // A session of its own: a terminal's signals are for this process, which ends it in order.
    return new Fd(ops.spawn({ path, argv, env: PROGRAM_ENVIRONMENT, cwd: "/", fds, setsid: true }).pidfd);
  } catch (error) {
    throw KataError.from(error, "cannot start the template's maker");
  }
}

async function readAnswer(socket: Fd): Promise<MadeTemplate> {
  let text = "";
  while (!text.endsWith("\n")) {
    const bytes = await ops.read(socket.number, 64 * 1024);
    if (bytes.length === 0)
      throw new KataError("Unavailable", "the template's maker ended before it had made one");
    text += ops.utf8Decode(bytes);
  }
  return parseAnswer(text);
}

/** @throws KataError Internal: what the maker says it failed with */
export function parseAnswer(text: string): MadeTemplate {
  const answer: unknown = JSON.parse(text);
  if (typeof answer !== "object" || answer === null)
    throw new KataError("Internal", "the template's maker gave no answer");
  if ("error" in answer) throw new KataError("Internal", String(answer.error));
  const key = "key" in answer ? String(answer.key) : "";
  const warnings = "warnings" in answer && Array.isArray(answer.warnings) ? answer.warnings.map(String) : [];
  return { key, warnings };
}
