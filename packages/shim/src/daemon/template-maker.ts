import { restoreConfig } from "@kata-containers/config";
import { Fd, KataError, Logger, ops, SIG } from "@kata-containers/sys";
import { makeTemplate } from "@kata-containers/virtcontainers";
import { leaveHostViewToMakeTemplate } from "./host-view.ts";
import { parseMakerArguments } from "./maker-arguments.ts";
import { endOf, readLines } from "./starter.ts";
import { Warnings } from "./warnings.ts";

/** A socket, whose other end is the starter's alone: client/template-maker.ts has the contract. */
const STARTER_FD = 3;

/**
 * Makes the template of the configuration that its starter sends as one line of JSON, confined as a sandbox's daemon is, and answers
 * by one line. Ends with the starter: nothing is left of a half template then.
 * @returns its exit status
 */
export async function runTemplateMaker(args: readonly string[]): Promise<number> {
  const starter = new Fd(STARTER_FD);
  const warnings = new Warnings();
  try {
    const { debug } = parseMakerArguments(args);
    const [text = ""] = readLines(starter, 1, "the configuration");
    const config = restoreConfig(text, "the configuration");
    const confinement = leaveHostViewToMakeTemplate(config);
    const log = new Logger({
      fd: debug ? 2 : -1,
      level: "debug",
      name: "containerd-shim-kata-v2",
      source: "shim",
      onWarning: (line) => warnings.add(line),
    });
    const key = await makeTemplate({ config, confinement, log }, whenUnwanted(starter));
    say(starter, { key, warnings: warnings.take() });
    return 0;
  } catch (error) {
    say(starter, { error: KataError.from(error).message });
    return 1;
  }
}

/** Rejects when nobody waits for the template any more, or this process is told to end. */
function whenUnwanted(starter: Fd): Promise<never> {
  const signals = ops.signalOpen([SIG.SIGTERM, SIG.SIGINT]);
  const unwanted = Promise.race([endOf(starter), ops.signalRead(signals)]).then(() => {
    throw new KataError("Canceled", "nobody waits for the template any more");
  });
  // It may come when there is nothing left to give up.
  unwanted.catch(() => {});
  return unwanted;
}

type Answer = { readonly key: string; readonly warnings: readonly string[] } | { readonly error: string };

function say(starter: Fd, answer: Answer): void {
  try {
    ops.writeSync(starter.number, ops.utf8Encode(`${JSON.stringify(answer)}\n`));
  } catch {
    // The starter is gone.
  }
}
