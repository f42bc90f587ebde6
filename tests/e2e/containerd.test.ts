import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { Compatibility, WORKS } from "../harness/compatibility.ts";
import { Containerd, type Runtime } from "../harness/containerd.ts";
import { eventually } from "../harness/process.ts";

/** What a user of ctr does: with runc, with runk in its place, and with kata, and the same comes of it. */
let containerd: Containerd;
let before: string[];

beforeAll(async () => {
  containerd = await Containerd.start();
  await containerd.sh("$run --rm $image first true", 60, "runc");
  before = await containerd.host.inventory();
}, 180_000);

const found = new Compatibility("containerd");

afterAll(async () => {
  found.write();
  await containerd?.[Symbol.asyncDispose]();
});

async function outcome(runtime: Runtime, script: string) {
  const { status, stdout, stderr } = await containerd.sh(script, 90, runtime);
  return { status, stdout, stderr };
}

const ROWS: readonly { readonly name: string; readonly script: string; readonly shows: string | RegExp }[] = [
  { name: "run prints what the container prints", script: "$run --rm $image t echo hello", shows: "hello\n" },
  {
    name: "the exit status is passed on",
    script: "$run --rm $image t sh -c 'exit 7'; echo $?",
    shows: "7\n",
  },
  {
    name: "stdout and stderr are two streams",
    script: "$run --rm $image t sh -c 'echo out; echo err >&2' 2> /dev/null",
    shows: "out\n",
  },
  {
    name: "stdin reaches the container",
    script: "echo typed | $run --rm $image t head -n 1",
    shows: "typed\n",
  },
  {
    name: "environment, working directory and mounts",
    script: `echo x > /run/f; $run --rm --env A=b --cwd /tmp --mount type=bind,src=/run/f,dst=/f,options=rbind:ro $image t sh -c 'echo $A $(pwd) $(cat /f); echo y > /f' ; echo $?; rm /run/f`,
    shows: "b /tmp x\n1\n",
  },
  {
    name: "a detached container is listed, executed in, killed and removed",
    script: `
      $run -d $image t sleep 100
      ctr task ls | awk 'NR > 1 { print $1, $3 }'
      ctr task exec --exec-id e1 t sh -c 'echo in $HOSTNAME; exit 3'; echo $?
      ctr task kill -s KILL t
      for i in $(seq 100); do ctr task ls | grep -q STOPPED && break; sleep .1; done
      ctr task ls | awk 'NR > 1 { print $1, $3 }'
      ctr task rm t > /dev/null 2>&1; echo $?
      ctr container rm t; ctr task ls -q; ctr container ls -q`,
    shows: /^t RUNNING\nin \S+\n3\nt STOPPED\n0\n$/,
  },
  {
    name: "a container is paused and goes on",
    script: `
      $run -d $image t sleep 100
      ctr task pause t; ctr task ls | awk 'NR > 1 { print $3 }'
      ctr task resume t; ctr task ls | awk 'NR > 1 { print $3 }'
      ctr task rm -f t > /dev/null 2>&1; ctr container rm t`,
    shows: "PAUSED\nRUNNING\n",
  },
  {
    name: "a command that is not there",
    script: "$run --rm $image t nonesuch 2>&1 | grep -o 'executable file not found'; ctr container ls -q",
    shows: "executable file not found\n",
  },
];

describe("ctr with runk, as with runc:", () => {
  test("the shim runs runk", async () => {
    const { stdout, stderr } = await outcome(
      "runk",
      "$run -d $image t sleep 100; runk --root /run/containerd/runc/default list --quiet; ctr task rm -f t > /dev/null 2>&1; ctr container rm t",
    );
    expect(stdout, stderr).toBe("t\n");
  });

  test.each(ROWS)("$name", { timeout: 120_000 }, async ({ script, shows }) => {
    const runc = await outcome("runc", script);
    const runk = await outcome("runk", script);
    expect([runk.stdout, runk.status], runk.stderr).toEqual([runc.stdout, runc.status]);
    if (typeof shows === "string") expect(runk.stdout).toBe(shows);
    else expect(runk.stdout).toMatch(shows);
  });
});

describe("ctr, as with runc:", () => {
  test.each(ROWS)("$name", { timeout: 240_000 }, async ({ name, script, shows }) => {
    const runc = await outcome("runc", script);
    const kata = await outcome("kata", script);
    expect(kata.stdout, `${kata.stderr}\nrunc: ${JSON.stringify(runc)}`).toBe(runc.stdout);
    if (typeof shows === "string") expect(kata.stdout).toBe(shows);
    else expect(kata.stdout).toMatch(shows);
    expect(kata.status).toBe(runc.status);
    found.note(name, WORKS);
  });

  test("the container has a kernel of its own", async () => {
    const { stdout } = await outcome("kata", "$run --rm $image t uname -r; uname -r");
    const [guest, host] = stdout.trim().split("\n");
    expect(guest).not.toBe(host);
  });

  test("nothing is left", async () => {
    await expect.poll(() => containerd.host.inventory()).toEqual(before);
  });
});

describe("when something dies or starts anew:", () => {
  const list = "ctr task ls | awk 'NR > 1 { print $1, $3 }' | sort";

  test("containerd is killed while five containers run: they go on, what ended meanwhile is told, and their logs are whole", async () => {
    const names = ["c1", "c2", "c3", "c4", "c5"];
    const script =
      "i=0; until [ -e /end/now ]; do i=$((i + 1)); echo line $i; sleep 0.1; done; echo line $((i + 1)), the last; exit 9";
    for (const name of names) {
      const { status, stderr } = await outcome(
        "kata",
        `mkdir /run/${name}; $run -d --log-uri file:///run/${name}/log --mount type=bind,src=/run/${name},dst=/end,options=rbind:rw $image ${name} sh -c '${script}'`,
      );
      expect(status, stderr).toBe(0);
    }
    await containerd.kill();
    // One ends while nobody listens.
    await containerd.sh("touch /run/c1/now");
    await containerd.launch();
    const rest = names.slice(1).map((name) => `${name} RUNNING\n`);
    await eventually("the end was seen", async () => {
      const { stdout } = await outcome("kata", list);
      return stdout === `c1 STOPPED\n${rest.join("")}` ? true : undefined;
    });
    const ended = await outcome(
      "kata",
      "ctr task exec --exec-id e c2 echo still here; ctr task rm c1 2>&1 | grep -o code.*[0-9]",
    );
    expect(ended.stdout, ended.stderr).toBe("still here\ncode 9\n");
    const { stdout, stderr } = await outcome(
      "kata",
      `for c in c2 c3 c4 c5; do touch /run/$c/now; done
       for i in $(seq 200); do ctr task ls | grep -q RUNNING || break; sleep .1; done
       for c in c2 c3 c4 c5; do ctr task rm $c 2>&1 | grep -o code.*[0-9]; done
       for c in c1 c2 c3 c4 c5; do
         awk -v c=$c '$2 + 0 != NR { print c ": line " NR ": " $0 } /last/ { last = NR } END { if (last != NR) print c ": ends early" }' /run/$c/log
       done
       for c in c1 c2 c3 c4 c5; do ctr container rm $c; rm -r /run/$c; done`,
    );
    expect(stdout, stderr).toBe("code 9\n".repeat(4));
  });

  test.each([
    ["the VM", "qemu-system-x86"],
    ["the shim", "containerd-shim"],
  ])(
    "%s is killed: the client sees the end within 2 s, and the container can be removed",
    async (_, program) => {
      const { stdout, stderr } = await outcome(
        "kata",
        `$run $image t sh -c 'echo runs; sleep 100' > /run/out & client=$!
       until grep -q runs /run/out; do sleep .05; done
       pkill -KILL -x ${program}; began=$(date +%s%N)
       wait $client; [ $? -ne 0 ] && echo ended; [ $(( ($(date +%s%N) - began) / 1000000 )) -lt 2000 ] && echo soon
       ctr task rm -f t > /dev/null 2>&1; ctr container rm t && echo removed; rm /run/out`,
      );
      expect(stdout, stderr).toBe("ended\nsoon\nremoved\n");
    },
  );

  test("nothing is left", async () => {
    await expect.poll(() => containerd.host.inventory()).toEqual(before);
  });
});
