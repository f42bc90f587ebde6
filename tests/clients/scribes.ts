import { expect } from "vitest";
import { eventually } from "../harness/process.ts";
import type { Engine, Runtime } from "./engine.ts";

const NAMES = ["c1", "c2", "c3", "c4", "c5"] as const;
/** How far each writes, when told to. */
const STAGES = [100, 200, 300] as const;
export type Stage = (typeof STAGES)[number];
/** What each exits with. */
export const STATUS = 9;

/** Each line of its log has a number, so that one that is lost or told twice is seen. It may be told to end at any stage. */
const SCRIPT = `i=0
for stage in ${STAGES.join(" ")}; do
  until [ -e /told/$stage ]; do [ -e /told/end ] && exit ${STATUS}; sleep 0.1; done
  while [ $i -lt $stage ]; do i=$((i + 1)); echo line $i; done
  echo > /told/wrote-$stage
done
until [ -e /told/end ]; do sleep 0.1; done
exit ${STATUS}`;

const linesUpTo = (count: number) =>
  Array.from({ length: count }, (_, index) => `line ${index + 1}\n`).join("");

/** Five containers that write and end when they are told to by files of the host's, whatever their engine does. */
export class Scribes {
  readonly #engine: Engine;
  readonly names: readonly string[] = NAMES;

  private constructor(engine: Engine) {
    this.#engine = engine;
  }

  /** @param start shell words between the command that runs one and what is to become of its client */
  static async start(
    engine: Engine,
    { runtime = "kata", options, after = "" }: { runtime?: Runtime; options: string; after?: string },
  ): Promise<Scribes> {
    const scribes = new Scribes(engine);
    for (const name of NAMES) {
      const command = `${engine.run(runtime)} ${options} --name ${name} -v ${scribes.#directory(name)}:/told box sh -c '${SCRIPT}'`;
      const { status, stderr } = await scribes.#sh(
        `rm -rf ${scribes.#directory(name)}; mkdir ${scribes.#directory(name)}; ${command} > /dev/null ${after}`,
      );
      expect(status, stderr).toBe(0);
    }
    return scribes;
  }

  /** Has some write up to a stage, and waits until they have. */
  async write(stage: Stage, names: readonly string[] = NAMES): Promise<void> {
    for (const name of names) await this.#sh(`echo > ${this.#directory(name)}/${stage}`);
    for (const name of names)
      await eventually(`${name} has written ${stage} lines`, async () =>
        (await this.#sh(`[ -e ${this.#directory(name)}/wrote-${stage} ]`)).status === 0 ? true : undefined,
      );
  }

  /** Has some end; does not wait for it. */
  async end(names: readonly string[]): Promise<void> {
    for (const name of names) await this.#sh(`echo > ${this.#directory(name)}/end`);
  }

  /** The log of one, which has to become whole: all lines up to a stage, once, in their order. */
  async hasWholeLog(name: string, stage: Stage): Promise<void> {
    await expect.poll(() => this.#log(name), { timeout: 20_000 }).toBe(linesUpTo(stage));
  }

  /** The log of one: every line from the first on, once, in their order, up to any that is not before a stage. */
  async hasLogFrom(name: string, stage: Stage): Promise<void> {
    const isFromFirst = (log: string) => {
      const count = log.split("\n").length - 1;
      return count >= stage && log === linesUpTo(count);
    };
    await expect.poll(async () => isFromFirst(await this.#log(name)), { timeout: 20_000 }).toBe(true);
  }

  /** Remembers the first processes of some; what is returned waits until they have ended. */
  async ended(names: readonly string[]): Promise<() => Promise<void>> {
    const pids = await this.#sh(`${this.#engine.name} inspect -f '{{.State.Pid}}' ${names.join(" ")}`);
    const gone = pids.stdout
      .trim()
      .split("\n")
      .map((pid) => `[ ! -e /proc/${pid} ]`);
    return () =>
      eventually(`${names.join(" ")} ended`, async () =>
        (await this.#sh(gone.join(" && "))).status === 0 ? true : undefined,
      ).then(() => {});
  }

  /** What the engine says of each: `running`, or `exited 9`. */
  async states(): Promise<Record<string, string>> {
    const format = "{{.Name}} {{.State.Status}} {{.State.ExitCode}}";
    const { stdout } = await this.#sh(`${this.#engine.name} inspect -f '${format}' ${NAMES.join(" ")}`);
    const lines = stdout
      .trim()
      .split("\n")
      .map((line) => line.replace(/^\//, "").split(" "));
    return Object.fromEntries(
      lines.map(([name = "", state = "", code = ""]) => [
        name,
        state === "running" ? state : `${state} ${code}`,
      ]),
    );
  }

  async remove(): Promise<void> {
    const { status, stderr } = await this.#sh(`${this.#engine.name} rm ${NAMES.join(" ")}`);
    expect(status, stderr).toBe(0);
  }

  async #log(name: string): Promise<string> {
    return (await this.#sh(`${this.#engine.name} logs ${name}`)).stdout;
  }

  #directory(name: string): string {
    return `${this.#engine.host.path}/told-${name}`;
  }

  #sh(script: string) {
    return this.#engine.host.run(script, this.#engine.env, 90);
  }
}
