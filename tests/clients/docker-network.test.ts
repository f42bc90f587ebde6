import { afterAll, beforeAll, expect, test } from "vitest";
import { type Engine, startDocker } from "./engine.ts";

let engine: Engine;
let before: string[];

beforeAll(async () => {
  engine = await startDocker();
  before = await engine.host.inventory();
}, 180_000);
afterAll(() => engine?.host[Symbol.asyncDispose]());

/** A shell script in the host; `$run` runs a container of the runtime. */
async function shell(runtime: "runc" | "kata", script: string) {
  const { host, env } = engine;
  const { status, stdout, stderr } = await host.run(
    `run="docker run --runtime ${runtime}"; ${script}`,
    env,
    150,
  );
  return { status, stderr, stdout: stdout.replaceAll(/ +/g, " ") };
}

/** The same with either runtime. @returns what it says */
async function same(script: string): Promise<string> {
  const runc = await shell("runc", script);
  const kata = await shell("kata", script);
  expect(kata.stdout, kata.stderr).toBe(runc.stdout);
  expect(kata.status, kata.stderr).toBe(0);
  return kata.stdout;
}

const show =
  "ip -4 -o addr show eth0 | cut -d' ' -f 2-8; ip route; cat /etc/resolv.conf; grep box /etc/hosts";

test("a container on docker's bridge has docker's address, routes and names, and reaches the host", async () => {
  const said = await same(
    `$run --rm --hostname box box sh -c "${show}; ping -c 1 -W 5 172.17.0.1 > /dev/null && echo reached"`,
  );
  expect(said).toContain("default via 172.17.0.1 dev eth0");
  expect(said).toMatch(/reached\n$/);
});

test("a published port, a link, and another container's address lead to it", async () => {
  const said = await same(`
    $run -d --name web -p 8080:80 box sh -c 'echo hello > /tmp/index.html; exec httpd -f -p 80 -h /tmp' > /dev/null
    for try in 1 2 3 4 5 6 7 8 9 10; do busybox wget -q -O - http://127.0.0.1:8080/ && break; sleep 1; done
    address=$(docker inspect -f '{{.NetworkSettings.IPAddress}}' web)
    busybox wget -q -O - http://$address/
    $run --rm --link web box wget -q -O - http://web/
    docker run --rm --runtime runc box wget -q -O - http://$address/
    docker rm -f web > /dev/null`);
  expect(said).toBe("hello\n".repeat(4));
});

test("a network that is connected while the container runs is there, and gone when it is disconnected", async () => {
  const wait = (what: string) => `for try in $(seq 100); do ${what} && break; sleep 0.2; done`;
  const said = await same(`
    docker network create --subnet 10.99.0.0/24 other > /dev/null
    $run -d --name box box sleep 1000 > /dev/null
    docker network connect other box
    ${wait("docker exec box ip -4 -o addr show eth1 2> /dev/null | grep -o 10.99.0.2/24")}
    docker exec box ping -c 1 -W 5 10.99.0.1 > /dev/null && echo reached
    docker network disconnect other box
    ${wait("! docker exec box ls /sys/class/net | grep eth1 > /dev/null")}
    docker exec box ls /sys/class/net
    docker rm -f box > /dev/null; docker network rm other > /dev/null`);
  expect(said).toBe("10.99.0.2/24\nreached\neth0\nlo\n");
});

/** By TCP: two bytes of length, a header (RFC 1035, 4.1.1) and the question for the address of `db`; the answer ends with that. */
const QUERY = ["\\0\\24", "\\0\\1\\1\\0\\0\\1\\0\\0\\0\\0\\0\\0", "\\2db\\0\\0\\1\\0\\1"];
const askByTcp = (address: string) =>
  `printf '${QUERY.join("").replaceAll("\\", "\\\\")}' | nc ${address} 53 | tail -c 4 | od -An -tu1`;

test("in a network of its own a container knows the others by name, as docker's resolver has it, and may be a resolver itself", async () => {
  const said = await same(`
    docker network create --subnet 10.98.0.0/24 own > /dev/null
    $run -d --name db --network own --network-alias store box sh -c 'echo hello > /tmp/index.html; exec httpd -f -p 80 -h /tmp' > /dev/null
    $run --rm --network own box sh -c "
      cat /etc/resolv.conf | grep -v '^#'
      for try in 1 2 3 4 5 6 7 8 9 10; do wget -q -O - http://db/ && break; sleep 1; done
      wget -q -O - http://store/
      nslookup -type=a db 127.0.0.11 | grep -v '^$'
      nslookup -type=a nobody-has-this-name. 127.0.0.11 > /dev/null 2>&1 || echo none
      ${askByTcp("127.0.0.11")}
      ${askByTcp("::ffff:127.0.0.11")}
      nslookup -type=a db ::ffff:127.0.0.11 | tail -n 2
      timeout 1 nc -l -p 53; echo listened until: \\$?"
    $run --rm --network own --cap-add SYS_ADMIN --cap-add NET_ADMIN box unshare -n sh -c "
      ip link set lo up; echo inner | nc -l -p 53 &
      for try in 1 2 3 4 5 6 7 8 9 10; do nc 127.0.0.11 53 < /dev/null && break; sleep 1; done"
    $run -d --name late box sleep 1000 > /dev/null
    docker network connect own late
    for try in $(seq 100); do docker exec late wget -q -O - http://db/ 2> /dev/null && break; sleep 0.2; done
    docker rm -f db late > /dev/null; docker network rm own > /dev/null`);
  expect(said.split("\n")).toEqual([
    ...["nameserver 127.0.0.11", "options ndots:0", "hello", "hello"],
    ...["Server:\t\t127.0.0.11", "Address:\t127.0.0.11:53"],
    ...["Non-authoritative answer:", "Name:\tdb", "Address: 10.98.0.2"],
    ...["none", " 10 98 0 2", " 10 98 0 2", "Address: 10.98.0.2", ""],
    // By the end of its time: until then it was there.
    ...["listened until: 143", "inner", "hello", ""],
  ]);
});

test("a container without a network has loopback alone; the host's own is refused before anything is made", async () => {
  expect(await same("$run --rm --network none box ls /sys/class/net")).toBe("lo\n");
  const { status, stderr } = await shell("kata", "$run --rm --network host box true");
  expect(status).toBe(125);
  expect(stderr).toContain("is the host's: a virtual machine has no host networking");
});

test("nothing is left: processes, mounts, interfaces, firewall rules, state, control groups", async () => {
  await expect.poll(() => engine.host.inventory()).toEqual(before);
});
