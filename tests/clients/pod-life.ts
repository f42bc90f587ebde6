import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { eventually } from "../harness/process.ts";
import { GO_BUILD_MS } from "./go-programs.ts";
import { GATEWAY, NETWORK_OF_THE_NODE, PID, Pods } from "./pods.ts";

/** A web server; says what its environment has. */
const SERVER = `echo "$GREETING" > /tmp/index.html; echo serving; echo complaint >&2; exec httpd -f -p 80 -h /tmp`;

/**
 * What a node does with pods over CRI, with runc and with kata, and the same comes of it. Nothing may be left.
 * @param programs the directory of containerd and ctr, when they are not the machine's
 */
export function testPods(programs?: () => string): void {
  let pods: Pods;
  let before: string[];
  const sh = (script: string) => pods.sh(script);
  const ok = (script: string) => pods.ok(script);
  const run = (handler: string, file: string) => ok(`crictl runp --runtime ${handler} ${file}`);
  const ipOf = (pod: string) =>
    ok(`crictl inspectp -o go-template --template '{{.status.network.ip}}' ${pod}`);
  const stateOf = (id: string) => ok(`crictl inspect -o go-template --template '{{.status.state}}' ${id}`);

  beforeAll(async () => {
    pods = await Pods.start(programs?.());
    // What the plugins keep for good is there after one pod.
    const file = pods.pod("first", { port_mappings: [{ container_port: 80, host_port: 8000 }] });
    await ok(`crictl rmp -f ${await run("runc", file)}`);
    before = await pods.containerd.host.inventory();
  }, 2 * GO_BUILD_MS);

  afterAll(() => pods?.[Symbol.asyncDispose]());

  describe.each(["runc", "kata"])("a pod with %s", (handler) => {
    const name = `pod-${handler}`;
    let file: string;
    let pod: string;
    let web: string;
    let other: string;
    let ip: string;

    test("runs, with two containers of their own", async () => {
      file = pods.pod(name, {
        dns_config: { servers: ["192.0.2.53"], searches: ["pods.test"] },
        port_mappings: [{ container_port: 80, host_port: 8080 }],
      });
      pod = await run(handler, file);
      ip = await ipOf(pod);
      expect(ip).toMatch(/^10\.88\.77\./);
      const secured = {
        security_context: { namespace_options: { pid: PID.ofTheContainer }, seccomp: { profile_type: 0 } },
      };
      const options = { envs: [{ key: "GREETING", value: "hello" }], linux: secured };
      web = await pods.start(pod, file, pods.container("web", SERVER, options));
      other = await pods.start(pod, file, pods.container("other", "exec sleep 100000"));
      expect((await ok("crictl ps -q")).split("\n").sort()).toEqual([web, other].sort());
      expect(await ok("crictl pods --state ready -q")).toBe(pod);
    });

    test("has its name, its resolver, and what its containers share", async () => {
      expect(await ok(`crictl exec -s ${other} hostname`)).toBe(name);
      expect(await ok(`crictl exec -s ${other} cat /etc/resolv.conf`)).toBe(
        "search pods.test\nnameserver 192.0.2.53",
      );
      const links = (id: string) =>
        ok(`crictl exec -s ${id} sh -c 'readlink /proc/self/ns/net; readlink /proc/self/ns/ipc'`);
      expect(await links(web)).toBe(await links(other));
      // /dev/shm is one for both.
      await ok(`crictl exec -s ${web} sh -c 'echo shared > /dev/shm/file'`);
      expect(await ok(`crictl exec -s ${other} cat /dev/shm/file`)).toBe("shared");
      expect(await ok(`crictl exec -s ${web} grep Seccomp: /proc/self/status`)).toBe("Seccomp:\t2");
    });

    test("executes: at once, with status; over the streaming server, with stdin and both streams", async () => {
      expect(await ok(`crictl exec -s ${other} echo at once`)).toBe("at once");
      const failed = await sh(`crictl exec -s ${other} sh -c 'echo why >&2; exit 3'`);
      expect(failed.stderr).toMatch(/exited with 3: why/);
      const streamed = await sh(`crictl exec ${other} sh -c 'echo out; echo err >&2'`);
      expect(streamed).toMatchObject({ status: 0, stdout: "out\n", stderr: "err\n" });
      expect(await ok(`echo typed | crictl exec -i ${other} cat`)).toBe("typed");
      const slow = await sh(`crictl exec -s --timeout 1 ${other} sleep 60`);
      expect(slow.status).not.toBe(0);
      expect(slow.stderr).toContain("timeout 1s exceeded");
    });

    test("logs what its containers write, each stream named", async () => {
      expect(await ok(`crictl logs ${web} 2> /dev/null`)).toBe("serving");
      expect(await ok(`crictl logs ${web} 2>&1 > /dev/null`)).toBe("complaint");
      const log = await ok(`sed 's/^[^ ]* //' ${pods.containerd.host.path}/logs/${name}/web.log | sort`);
      expect(log).toBe("stderr F complaint\nstdout F serving");
    });

    test("is reached at its address and at the host's port, and reaches the host", async () => {
      const get = (address: string) => ok(`busybox wget -q -O - http://${address}/`);
      expect(await get(ip)).toBe("hello");
      expect(await get("127.0.0.1:8080")).toBe("hello");
      expect(await ok(`crictl exec -s ${other} wget -q -O - http://127.0.0.1/`)).toBe("hello");
      await ok(`crictl exec -s ${other} ping -c 1 -W 5 ${GATEWAY}`);
      const routes = await ok(`crictl exec -s ${other} ip route`);
      expect(routes).toMatch(new RegExp(`^default via ${GATEWAY.replaceAll(".", "\\.")} dev eth0`, "m"));
    });

    test("is reached by port-forward, which asks at its namespace's own loopback interface; a port where nobody listens is not", async () => {
      const { stdout } = await sh(`
        crictl exec -s ${other} sh -c 'head -c 8388608 /dev/urandom > /tmp/much; httpd -p 81 -h /tmp; cd /tmp; sha256sum much' > /run/sum
        crictl port-forward ${pod} 8081:80 8082:81 8083:82 > /run/forward 2>&1 & forward=$!
        until [ $(grep -c Forwarding /run/forward) -ge 3 ]; do sleep .05; done
        for _ in 1 2 3; do busybox wget -q -O - http://127.0.0.1:8081/; done
        cd /run; busybox wget -q http://127.0.0.1:8082/much && sha256sum -c sum
        busybox wget -q -T 20 -O - http://127.0.0.1:8083/ 2> /dev/null || echo nobody
        kill $forward; rm forward much sum`);
      expect(stdout).toBe("hello\nhello\nhello\nmuch: OK\nnobody\n");
    });

    test("reaches another pod, and is reached by it", async () => {
      const second = pods.pod("second");
      const neighbour = await run(handler, second);
      const client = await pods.start(neighbour, second, pods.container("web", SERVER));
      expect(await ok(`crictl exec -s ${client} wget -q -O - http://${ip}/`)).toBe("hello");
      await ok(`crictl exec -s ${other} wget -q -O - http://${await ipOf(neighbour)}/`);
      await ok(`crictl rmp -f ${neighbour}`);
    });

    test("tells figures of its containers, and of itself", async () => {
      const { stats } = JSON.parse(await ok(`crictl stats -o json ${web}`));
      expect(stats).toHaveLength(1);
      const [{ attributes, cpu, memory }] = stats;
      expect(attributes.id).toBe(web);
      expect(Number(cpu.usageCoreNanoSeconds.value)).toBeGreaterThan(0);
      expect(Number(memory.workingSetBytes.value)).toBeGreaterThan(0);
      const ofPod = JSON.parse(await ok(`crictl statsp -o json --id ${pod}`)).stats;
      expect(Number(ofPod[0].linux.memory.workingSetBytes.value)).toBeGreaterThan(0);
      expect(ofPod[0].linux.network.defaultInterface.name).toBe("eth0");
    });

    test("goes on while containerd starts anew", async () => {
      await pods.containerd.kill();
      await pods.containerd.launch();
      await pods.ready();
      expect((await ok("crictl ps -q")).split("\n").sort()).toEqual([web, other].sort());
      expect(await ok(`crictl exec -s ${other} echo still here`)).toBe("still here");
    });

    test("stops a container within its grace period, and starts it as a new one", async () => {
      await ok(`crictl stop --timeout 1 ${other}`);
      expect(await stateOf(other)).toBe("CONTAINER_EXITED");
      await ok(`crictl rm ${other}`);
      const again = await pods.start(pod, file, pods.container("again", "exit 7"));
      await eventually("the end", async () =>
        (await stateOf(again)) === "CONTAINER_EXITED" ? true : undefined,
      );
      const status = await ok(`crictl inspect -o go-template --template '{{.status.exitCode}}' ${again}`);
      expect(status).toBe("7");
    });

    test("stops and is removed; its network namespace has nothing of the pod's any more", async () => {
      const namespace = await ok("ls -d /run/netns/*");
      // Held by a process: CNI removes the name.
      const held = await ok(
        `nsenter --net=${namespace} sleep 100000 > /dev/null 2>&1 & echo $!; until [ $(readlink /proc/$!/ns/net) != $(readlink /proc/self/ns/net) ]; do sleep .05; done`,
      );
      await ok(`crictl stopp ${pod}`);
      expect(await ok("crictl pods --state notready -q")).toBe(pod);
      const left = await ok(
        `nsenter --net=/proc/${held}/ns/net sh -c 'ip -o link | cut -d: -f 2; ip route; tc qdisc | grep -v noqueue'; kill ${held}`,
      );
      expect(left).toBe("lo");
      await ok(`crictl rmp ${pod}`);
      expect(await ok("crictl pods -q; crictl ps -aq; ls /run/netns")).toBe("");
      await expect.poll(() => pods.containerd.host.inventory()).toEqual(before);
    });

    test("has one pid namespace for all when it is asked for", async () => {
      const shared = pods.pod("shared", {}, { pid: PID.ofThePod });
      const id = await run(handler, shared);
      const linux = { security_context: { namespace_options: { pid: PID.ofThePod } } };
      await pods.start(id, shared, pods.container("one", "exec sleep 4711", { linux }));
      const two = await pods.start(id, shared, pods.container("two", "exec sleep 100000", { linux }));
      expect(await ok(`crictl exec -s ${two} ps`)).toMatch(/ sleep 4711$/m);
      await ok(`crictl rmp -f ${id}`);
    });
  });

  test("a pod's VM has a kernel of its own", async () => {
    const file = pods.pod("kernel");
    const pod = await run("kata", file);
    const id = await pods.start(pod, file, pods.container("one", "exec sleep 100000"));
    expect(await ok(`crictl exec -s ${id} uname -r`)).not.toBe(await ok("uname -r"));
    await ok(`crictl rmp -f ${pod}`);
  });

  test("the VM is killed: the containers have exited, the pod is not ready, and both can be removed", async () => {
    const file = pods.pod("killed");
    const pod = await run("kata", file);
    const id = await pods.start(pod, file, pods.container("one", "exec sleep 100000"));
    await ok("pkill -KILL -x qemu-system-x86");
    await eventually("the end", async () => ((await stateOf(id)) === "CONTAINER_EXITED" ? true : undefined));
    const notReady = async () => (await ok("crictl pods --state notready -q")) === pod || undefined;
    await eventually("a pod that is not ready", notReady);
    await ok(`crictl rm ${id}; crictl stopp ${pod}; crictl rmp ${pod}`);
  });

  test("the node's own network is refused", async () => {
    const file = pods.pod("node", {}, { network: NETWORK_OF_THE_NODE });
    const { status, stderr } = await sh(`crictl runp --runtime kata ${file}`);
    expect(status).not.toBe(0);
    expect(stderr).toContain("the host's: a virtual machine has no host networking");
    expect(await ok("crictl pods -q")).toBe("");
  });

  test("nothing is left: processes, mounts, interfaces, firewall rules, namespaces, control groups", async () => {
    await expect.poll(() => pods.containerd.host.inventory()).toEqual(before);
  });
}
