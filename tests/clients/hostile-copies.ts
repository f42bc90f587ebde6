import { join } from "node:path";
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from "vitest";
import type { Engine } from "./engine.ts";
import { runAlike, runScript } from "./run-script.ts";

const MINUTES_MS = 300_000;

/**
 * Copies into and out of containers whose image is full of links that would lead to the host's files, were they followed there: they lead to the
 * container's of the same names. The host's are as they were after each test.
 */
export function testHostileCopies(start: () => Promise<Engine>): void {
  let engine: Engine;
  let before: string[];
  /** A directory of the host's; the container has one of the same path. */
  let victim: string;
  let hosts: string;

  beforeAll(async () => {
    engine = await start();
    victim = join(engine.host.path, "victim");
    const { status, stderr } = await engine.host.run(makeImages(engine, victim), engine.env);
    if (status !== 0) throw new Error(`the hostile images: ${stderr}`);
    before = await engine.host.inventory();
  }, 180_000);
  afterAll(() => engine?.host[Symbol.asyncDispose]());

  beforeEach(async () => {
    hosts = await hostsFiles();
  });
  afterEach(async () => {
    expect(await hostsFiles()).toBe(hosts);
  });

  /** What links of the images lead to, were they followed on the host: names, kinds, owners, times and hashes. */
  async function hostsFiles(): Promise<string> {
    const { stdout } = await engine.host.run(
      `sha256sum /etc/passwd /etc/group /etc/shadow /etc/hostname; ls -A / /etc
       find ${victim} -printf '%p %y %m %u %g %s %T@ %l\\n' -type f -exec sha256sum {} + | sort`,
    );
    expect(stdout).toContain(`${victim}/secret`);
    return stdout;
  }

  test.each([
    ["runs", "$run -d --name one hostile sleep 1000 > /dev/null"],
    ["was only created", "$create --name one hostile sleep 1000 > /dev/null"],
  ])(
    "cp of a container that %s goes by its own files, whatever its links say",
    { timeout: MINUTES_MS },
    async (_, begin) => {
      const follow = engine.name === "docker" ? "-L" : "";
      const said = await runAlike(
        engine,
        `${begin}
       cd $dir; echo pushed > in; mkdir -p tree/sub; echo pushed > tree/sub/file
       # A link that comes out as a link is not followed here.
       show() { find out -printf '%y %l\\n' | sort; find out -type f -exec cat {} +; rm -rf out; }
       for from in absolute/secret up/secret root/etc/group etc/group file passwd absolute up; do
         $c cp ${follow} one:/links/$from out 2> /dev/null; echo "out $from $?"; show
       done
       for to in absolute/in-1 up/in-2 root/in-3 etc/in-4 file passwd; do
         $c cp in one:/links/$to 2> /dev/null; echo "in $to $?"
       done
       $c cp tree one:/links/up/ 2> /dev/null; echo "in tree $?"
       for from in ${victim}/in-1 ${victim}/in-2 /in-3 /etc/in-4 ${victim}/secret /etc/passwd ${victim}/tree; do
         $c cp one:$from out 2> /dev/null; echo "$from $?"; show
       done`,
        240,
      );
      expect(said).not.toContain("the host's");
      expect(said).toContain("out absolute/secret 0\nf \nthe container's\n");
      expect(said).toContain("in absolute/in-1 0\n");
      expect(said).toContain(`${victim}/in-1 0\nf \npushed\n`);
    },
  );

  test("cp by links of /proc leads to nothing of the host", { timeout: MINUTES_MS }, async () => {
    const { stdout, stderr } = await runScript(
      engine,
      "kata",
      `$run -d --name one hostile sleep 1000 > /dev/null; cd $dir; echo pushed > in
       for link in process self directory; do
         for to in /in ${victim}/in /etc/passwd; do $c cp in one:/links/$link$to > /dev/null 2>&1; done
         for from in ${victim}/secret /etc/shadow; do
           rm -rf out; $c cp one:/links/$link$from out > /dev/null 2>&1 || continue
           find out -type f -exec cmp -s {} $from \\; -exec echo "$link$from came out" \\;
         done
       done; echo tried`,
      240,
    );
    expect(stdout, stderr).toBe("tried\n");
  });

  test("cp while the container swaps a directory for a link leads to nothing of the host", {
    timeout: MINUTES_MS,
  }, async () => {
    const { stdout, stderr } = await runScript(
      engine,
      "kata",
      `$run -d --name one hostile sh -c 'while :; do rm -rf /swapped; mkdir /swapped; rm -rf /swapped; ln -s ${victim} /swapped; done' > /dev/null
       cd $dir; echo pushed > in
       for i in $(seq 15); do $c cp in one:/swapped/in-$i; $c cp one:/swapped/secret out-$i; done > /dev/null 2>&1
       cat out-* 2> /dev/null | sort -u; echo tried`,
      240,
    );
    expect(stdout, stderr).toMatch(/^(the container's\n)?tried\n$/);
  });

  test("a volume whose place is a link is at the container's place, and one that is read-only takes no copy", {
    timeout: MINUTES_MS,
  }, async () => {
    const said = await runAlike(
      engine,
      `mkdir $dir/volume $dir/ro; echo volume > $dir/volume/file; echo pushed > $dir/in
       $run -d --name one -v $dir/volume:/links/absolute/volume -v $dir/ro:/ro:ro hostile sleep 1000 > /dev/null
       $c exec one cat ${victim}/volume/file
       $c cp $dir/in one:${victim}/volume/in; cat $dir/volume/in
       $c cp one:${victim}/volume/file $dir/out; cat $dir/out
       $c cp $dir/in one:/ro/in 2> /dev/null; [ $? -ne 0 ] && echo refused; ls $dir/ro`,
    );
    expect(said).toBe("volume\npushed\nvolume\nrefused\n");
  });

  test("an image whose /etc is a link to the host's directory gets what the engine mounts there", {
    timeout: MINUTES_MS,
  }, async () => {
    const said = await runAlike(
      engine,
      "$run --rm --hostname inside hostile-etc sh -c 'echo $(cat /etc/hostname); [ -e /etc/secret ] || echo not the host; [ -e /etc/hosts ] && echo hosts'",
    );
    expect(said).toBe("inside\nnot the host\nhosts\n");
  });

  test("nothing is left: processes, mounts, interfaces, firewall rules, state, control groups", async () => {
    await expect.poll(() => engine.host.inventory()).toEqual(before);
  });
}

/** `hostile` has links that would lead to the host's files, and the files of the same names; of `hostile-etc` /etc is such a link. */
function makeImages({ name, run, remove, host }: Engine, victim: string): string {
  const links = `mkdir -p /links ${victim}; echo "the container's" > ${victim}/secret; cd /links
    ln -s ${victim} absolute; ln -s ${victim}/secret file; ln -s ../../../../../../../..${victim} up
    ln -s / root; ln -s /etc etc; ln -s /etc/passwd passwd
    ln -s /proc/1/root process; ln -s /proc/self/root self; ln -s /proc/self/cwd directory`;
  return `set -e
    mkdir ${victim}; echo "the host's" > ${victim}/secret
    ${run("runc")} --name base box sh -c "$(cat << 'END'
${links}
END
)"
    ${name} commit base hostile > /dev/null 2>&1; ${remove} base > /dev/null
    cp -a ${host.path}/image ${host.path}/hostile; rm -r ${host.path}/hostile/etc; mkdir -p ${host.path}/hostile${victim}; ln -s ${victim} ${host.path}/hostile/etc
    tar -C ${host.path}/hostile -cf - . | ${name} import - hostile-etc > /dev/null 2>&1`;
}
