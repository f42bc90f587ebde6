import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type Engine, startPodman } from "./engine.ts";
import { runAlike, runScript } from "./run-script.ts";

describe.each(["cni", "netavark"] as const)("podman's networks by %s", (backend) => {
  let engine: Engine;
  let before: string[];

  beforeAll(async () => {
    engine = await startPodman(backend);
    // What the plugins keep for good is there after one container.
    await runScript(engine, "runc", "$run --rm --network podman -p 8000:80 box true");
    before = await engine.host.inventory();
  }, 180_000);

  afterAll(() => engine?.host[Symbol.asyncDispose]());

  /** The same with either runtime. @returns what it says */
  const same = async (script: string) => (await runAlike(engine, script, 150)).replaceAll(/ +/g, " ");

  const show =
    "ip -4 -o addr show eth0 | cut -d' ' -f 2-8; ip route; cat /etc/resolv.conf; grep box /etc/hosts";

  test("a container has podman's address, routes and names, and reaches the host", async () => {
    const said = await same(
      `$run --rm --network podman --ip 10.88.0.50 --dns 192.0.2.53 --hostname box --name box box sh -c "${show}; ping -c 1 -W 5 10.88.0.1 > /dev/null && echo reached"`,
    );
    expect(said).toContain("eth0 inet 10.88.0.50/16");
    expect(said).toContain("default via 10.88.0.1 dev eth0");
    expect(said).toMatch(/^10\.88\.0\.50\sbox/m);
    expect(said).toMatch(/reached\n$/);
  });

  test("a published port and another container's address lead to it", async () => {
    const serve = "echo hello > /tmp/index.html; exec httpd -f -p 80 -h /tmp";
    const said = await same(`
      $run -d --name web --network podman --ip 10.88.0.60 -p 8080:80 box sh -c '${serve}' > /dev/null
      for try in 1 2 3 4 5 6 7 8 9 10; do busybox wget -q -O - http://127.0.0.1:8080/ && break; sleep 1; done
      busybox wget -q -O - http://10.88.0.60/
      $run --rm --network podman box wget -q -O - http://10.88.0.60/
      ${engine.run("runc")} --rm --network podman box wget -q -O - http://10.88.0.60/
      $remove web > /dev/null`);
    expect(said).toBe("hello\n".repeat(4));
  });

  test("a network that is connected while the container runs is there, and gone when it is disconnected", async () => {
    const wait = (what: string) => `for try in $(seq 100); do ${what} && break; sleep 0.2; done`;
    const said = await same(`
      podman network create --subnet 10.99.0.0/24 other > /dev/null
      $run -d --name box --network podman box sleep 1000 > /dev/null
      podman network connect --ip 10.99.0.7 other box
      ${wait("podman exec box ip -4 -o addr show eth1 2> /dev/null | grep -o 10.99.0.7/24")}
      ${wait("podman exec box ping -c 1 -W 2 10.99.0.1 > /dev/null && echo reached")}
      podman network disconnect other box
      ${wait("! podman exec box ls /sys/class/net | grep eth1 > /dev/null")}
      podman exec box ls /sys/class/net
      $remove box > /dev/null; podman network rm other > /dev/null`);
    expect(said).toBe("10.99.0.7/24\nreached\neth0\nlo\n");
  });

  test.runIf(backend === "netavark")(
    "a container's name leads to it in a network that a user made",
    async () => {
      const said = await same(`
      podman network create --subnet 10.98.0.0/24 named > /dev/null
      $run -d --name web --network named box sh -c 'echo hello > /tmp/index.html; exec httpd -f -p 80 -h /tmp' > /dev/null
      $run --rm --network named box sh -c 'for try in 1 2 3 4 5 6 7 8 9 10; do wget -q -O - http://web/ && break; sleep 1; done'
      $remove web > /dev/null; podman network rm named > /dev/null`);
      expect(said).toBe("hello\n");
    },
  );

  test("a container without a network has loopback alone; the host's own is refused before anything is made", async () => {
    expect(await same("$run --rm --network none box ls /sys/class/net")).toBe("lo\n");
    const { status, stderr } = await runScript(engine, "kata", "$run --rm --network host box true");
    expect(status).not.toBe(0);
    expect(stderr).toContain("the host's: a virtual machine has no host networking");
  });

  test("nothing is left: processes, mounts, interfaces, firewall rules, state, control groups", async () => {
    await expect.poll(() => engine.host.inventory()).toEqual(before);
  });
});
