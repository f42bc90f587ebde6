import { existsSync, lstatSync, readFileSync, readlinkSync, statSync } from "node:fs";
import { request } from "node:http";
import { createConnection } from "node:net";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { Task } from "@kata-containers/protocols";
import { describe, expect, test } from "vitest";
import { findTraces, hashOf } from "../harness/leaks.ts";
import { eventually } from "../harness/process.ts";
import { useRuntime } from "../harness/runtime.ts";
import { processSpec, useShims } from "../harness/shim.ts";

const shims = useShims();
const runtime = useRuntime();

interface Answer {
  readonly status: number | undefined;
  readonly type: string | undefined;
  readonly body: string;
}

/** One request over a unix socket, whose path leads there. */
function ask(socketPath: string, path: string, method = "GET"): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const options = { socketPath, path, method, agent: false };
    request(options, (response) => {
      const { statusCode, headers } = response;
      text(response).then(
        (body) => resolve({ status: statusCode, type: headers["content-type"], body }),
        reject,
      );
    })
      .on("error", reject)
      .end();
  });
}

/** The figures by their names and labels; each family has its type before it. */
function parse(metrics: string): Map<string, number> {
  const figures = new Map<string, number>();
  let family = "";
  for (const line of metrics.trimEnd().split("\n")) {
    const [, typed] = /^# TYPE (\w+) (?:gauge|counter|histogram)$/.exec(line) ?? [];
    family = typed ?? family;
    if (typed !== undefined) continue;
    const [, series = "", value] = /^(\w+(?:\{[^}]+\})?) (\S+)$/.exec(line) ?? [];
    expect(series.replace(/\{.*|(?:_bucket|_sum|_count)\{.*/, ""), line).toContain(family);
    figures.set(series, Number(value));
  }
  return figures;
}

const PROCESS = [
  "threads",
  "fds",
  'proc_status{item="vmrss"}',
  'proc_stat{item="utime"}',
  'io_stat{item="readbytes"}',
];

/** Of a running sandbox. */
const SERIES = [
  ...["shim", "hypervisor", "virtiofsd"].flatMap((of) => PROCESS.map((series) => `kata_${of}_${series}`)),
  'kata_hypervisor_netdev{interface="lo",item="recv_bytes"}',
  "kata_shim_pod_overhead_cpu",
  "kata_shim_pod_overhead_memory_in_bytes",
  'kata_shim_agent_rpc_durations_histogram_milliseconds_count{action="grpc.CreateContainerRequest"}',
  'kata_shim_rpc_durations_histogram_milliseconds_bucket{action="create",le="+Inf"}',
  "kata_agent_process_resident_memory_bytes",
  ...PROCESS.map((series) => `kata_agent_${series.replace("readbytes", "read_bytes")}`),
  'kata_guest_load{item="load1"}',
  'kata_guest_tasks{item="max"}',
  'kata_guest_cpu_time{cpu="total",item="user"}',
  'kata_guest_meminfo{item="mem_total"}',
  'kata_guest_vm_stat{item="pgfault"}',
  'kata_guest_netdev_stat{interface="lo",item="recv_bytes"}',
];

describe("containerd's shim", () => {
  test("tells where its figures are, and root alone may read them", async () => {
    const { id, bundle, shim } = await shims.run();
    const link = join(shims.root, id, "shim-monitor.sock");
    const address = readFileSync(join(bundle, "monitor_address"), "utf8");
    const socket = address.replace("unix://", "");
    expect(address).toBe(`unix:///run/vc/${hashOf(shims.root, id)}-monitor.sock`);
    expect(readlinkSync(link)).toBe(socket);
    expect((statSync(link).mode & 0o777).toString(8)).toBe("600");
    expect((statSync(join(bundle, "monitor_address")).mode & 0o777).toString(8)).toBe("600");

    await shim.unary(Task.Exec, { id, execId: "e", spec: processSpec(["true"]) });
    const { status, type, body } = await ask(socket, "/metrics");
    expect({ status, type }).toEqual({ status: 200, type: "text/plain; version=0.0.4; charset=utf-8" });
    const figures = parse(body);
    expect([...figures.keys()]).toEqual(expect.arrayContaining(SERIES));
    expect(
      [...figures.keys()].filter((name) => !/^kata_(shim|hypervisor|virtiofsd|agent|guest)_/.test(name)),
    ).toEqual([]);
    const count = (action: string) =>
      figures.get(`kata_shim_rpc_durations_histogram_milliseconds_count{action="${action}"}`);
    expect([count("create"), count("start"), count("exec"), count("kill")]).toEqual([1, 1, 1, undefined]);
    // QEMU has some of the guest's memory, the shim none of it.
    const rss = (of: string) => figures.get(`kata_${of}_proc_status{item="vmrss"}`) ?? 0;
    expect(rss("hypervisor")).toBeGreaterThan(32 << 20);
    expect(rss("shim")).toBeLessThan(16 << 20);
    expect(figures.get("kata_shim_pod_overhead_memory_in_bytes")).toBeGreaterThan(32 << 20);
    expect(figures.get("kata_shim_pod_overhead_cpu")).toBeGreaterThan(0);
  });

  test("answers what it has, and nothing else, whatever else a client does", async () => {
    const { bundle } = await shims.run();
    const socket = readFileSync(join(bundle, "monitor_address"), "utf8").replace("unix://", "");
    const agentUrl = await ask(socket, "/agent-url");
    if (agentUrl.status === 200) expect(agentUrl.body).toMatch(/^vsock:\/\/\d+:1024$/);
    else expect(agentUrl).toMatchObject({ status: 404, body: expect.stringContaining("agent_channel") });
    expect((await ask(socket, "/metrics?format=text")).status).toBe(200);
    expect((await ask(socket, "/direct-volume/stats")).status).toBe(404);
    expect((await ask(socket, "/metrics", "POST")).status).toBe(405);
    expect((await ask(socket, "/agent-url", "DELETE")).status).toBe(405);

    const unfinished = createConnection(socket);
    const answered = text(unfinished);
    unfinished.write("GET /metrics HTTP/1.1\r\nHost: ");
    const garbage = createConnection(socket);
    const refused = text(garbage);
    garbage.write(Buffer.alloc(1 << 16, 0xff));
    garbage.on("error", () => {});
    expect(await refused).toMatch(/^HTTP\/1.1 431 /);
    expect((await ask(socket, "/metrics")).status).toBe(200);
    expect(await answered).toMatch(/^HTTP\/1.1 408 Request Timeout\r\n/);
    expect((await ask(socket, "/metrics")).status).toBe(200);
  });

  test("has no socket any more when the container is deleted; nor is one left of a shim that was killed", async () => {
    const ended = await shims.run({ args: ["true"] });
    const killed = await shims.run();
    const socketOf = (id: string) => `/run/vc/${hashOf(shims.root, id)}-monitor.sock`;
    for (const { id } of [ended, killed]) expect(lstatSync(socketOf(id)).isSocket()).toBe(true);
    const { id, shim } = ended;
    await shim.unary(Task.Wait, { id });
    await shim.unary(Task.Delete, { id });
    expect(existsSync(socketOf(id))).toBe(false);
    process.kill(killed.pid, "SIGKILL");
    await shims.command("delete", killed);
    expect(existsSync(socketOf(killed.id))).toBe(false);
  });
});

describe("a sandbox of kata-runtime's", () => {
  test("whatever it is called has its socket beside its record, with the figures that metrics prints", async () => {
    const short = runtime.newId();
    const id = `${short}-`.padEnd(255, "x");
    const child = runtime.spawn(["create", "--bundle", runtime.bundle({ args: ["sleep", "1000"] }), id], {
      stdio: "ignore",
    });
    await new Promise((resolve) => child.on("exit", resolve));
    try {
      const link = join(runtime.root, id, "shim-monitor.sock");
      expect(link.length).toBeGreaterThan(255);
      const { status, body } = await ask(readlinkSync(link), "/metrics");
      expect(status).toBe(200);
      const names = (metrics: string) => [...parse(metrics).keys()];
      expect(names(body)).toEqual(expect.arrayContaining(SERIES));
      expect(names(await runtime.ok(["metrics", id]))).toEqual(expect.arrayContaining(names(body)));
    } finally {
      await runtime.ok(["delete", "--force", id]);
    }
    const left = () => findTraces({ root: runtime.root, ids: [id] });
    await eventually("nothing is left", () => (left().length === 0 ? true : undefined));
  });

  test("loses its socket with its record when its daemon was killed", async () => {
    const id = await runtime.start();
    const socket = `/run/vc/${hashOf(runtime.root, id)}-monitor.sock`;
    const { body } = await ask(socket, "/metrics");
    expect(body).toContain('kata_shim_rpc_durations_histogram_milliseconds_count{action="start"} 1\n');
    for (const line of findTraces(runtime.traces())) {
      const [, pid] = /^process (\d+): .*containerd-shim-kata-v2/.exec(line) ?? [];
      if (pid !== undefined) process.kill(Number(pid), "SIGKILL");
    }
    await expect.poll(async () => (await runtime.state(id)).status).toBe("stopped");
    expect(existsSync(socket)).toBe(true);
    await runtime.ok(["delete", id]);
    expect(existsSync(socket)).toBe(false);
  });
});
