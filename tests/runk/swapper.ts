import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";

/** renameat2(2) by its number, for perl has no function for it; it ends by itself, should nobody end it. */
const PROGRAM = `
  my ($one, $other) = @ARGV;
  my $number = (POSIX::uname())[4] eq "aarch64" ? 276 : 316;
  my ($here, $exchange) = (-100, 2);
  alarm 100;
  $| = 1;
  for (my $count = 0; ; $count++) {
    syscall($number, $here, $one, $here, $other, $exchange) == 0 or die "renameat2: $!";
    print "swapped\\n" if $count == 0;
  }`;

/** Exchanges two directory entries as fast as it can, as the attacker does who shares a volume with the container that starts. */
export class Swapper implements AsyncDisposable {
  readonly #process: ChildProcess;

  private constructor(process: ChildProcess) {
    this.#process = process;
  }

  /** @returns once they are being exchanged */
  static async start(one: string, other: string): Promise<Swapper> {
    const child = spawn("perl", ["-MPOSIX", "-e", PROGRAM, one, other], {
      stdio: ["ignore", "pipe", "inherit"],
    });
    const started = await Promise.race([once(child.stdout, "data"), once(child, "exit")]);
    if (!Buffer.isBuffer(started[0])) throw new Error(`the swapper ended: ${started}`);
    return new Swapper(child);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#process.exitCode !== null) throw new Error("the swapper ended before the attack did");
    const ended = once(this.#process, "exit");
    this.#process.kill("SIGKILL");
    await ended;
  }
}
