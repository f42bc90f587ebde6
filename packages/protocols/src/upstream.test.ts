import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { factsOf } from "./testing/facts.ts";
import { loadProtos } from "./testing/protos.ts";

const root = loadProtos();

/** The facts that a file in testing/ has of an upstream. */
function fixture(file: string): string[] {
  return readFileSync(join(import.meta.dirname, "testing", file), "utf8")
    .split("\n")
    .filter((line) => line !== "" && !line.startsWith("#"));
}

/** Whether a fact is a message of the list, or one of its parts. */
const isOf = (messages: readonly string[], fact: string) =>
  messages.some((message) => fact === message || fact.startsWith(`${message}.`));

describe("of kata-containers 3.2.0", () => {
  const ours = factsOf(root, ["grpc", "types"]);
  const upstreams = fixture("kata-containers-3.2.0.txt");

  it("has every message, field, enum value and method, by its name, number and type", () => {
    expect(upstreams.length).toBeGreaterThan(400);
    expect(upstreams.filter((fact) => !ours.includes(fact))).toEqual([]);
  });

  /** Messages that upstream's 3.2.0 has not: 1.x's, and what a field of ours holds. */
  const OUR_MESSAGES = [
    "grpc.ListProcessesRequest",
    "grpc.ListProcessesResponse",
    "grpc.StartTracingRequest",
    "grpc.StopTracingRequest",
    "grpc.CompiledSeccomp",
  ];
  /** Kata 1.x's calls. */
  const OUR_METHODS = [
    "grpc.AgentService.ListProcesses(grpc.ListProcessesRequest) grpc.ListProcessesResponse",
    "grpc.AgentService.StartTracing(grpc.StartTracingRequest) google.protobuf.Empty",
    "grpc.AgentService.StopTracing(grpc.StopTracingRequest) google.protobuf.Empty",
  ];
  /** Those that later releases have, by their names and numbers. */
  const LATER_FIELDS = ["types.Route.flags=7 uint32", "types.Route.mtu=8 uint32"];
  /** Ours in upstream's messages: an upstream agent or runtime passes over them. */
  const OUR_FIELDS = [
    "grpc.CreateContainerRequest.oci_rest_json=101 string",
    "grpc.CreateContainerRequest.seccomp=100 grpc.CompiledSeccomp",
    "grpc.CreateSandboxRequest.domainname=100 string",
    "grpc.ExecProcessRequest.cgroups=101 repeated string",
    "grpc.ExecProcessRequest.process_rest_json=100 string",
    "grpc.GuestDetailsResponse.mem_blocks=100 uint64",
    "grpc.LinuxSeccomp.DefaultErrnoRet=100 uint32",
    "grpc.OnlineCPUMemRequest.mem_blocks=100 uint64",
    "grpc.Spec.Domainname=100 string",
    "grpc.UpdateContainerRequest.resources_rest_json=100 string",
    "grpc.User.Umask=100 uint32",
    "types.Route.metric=100 uint32",
  ];

  it("has beyond that Kata 1.x's calls, later releases' fields, and in upstream's messages those listed alone, from number 100 on", () => {
    const beyond = ours.filter((fact) => !upstreams.includes(fact));
    expect(beyond.filter((fact) => !isOf(OUR_MESSAGES, fact))).toEqual(
      [...OUR_METHODS, ...LATER_FIELDS, ...OUR_FIELDS].sort(),
    );
    for (const field of OUR_FIELDS) expect(Number(/=(\d+) /.exec(field)?.[1])).toBeGreaterThanOrEqual(100);
  });
});

describe("of containerd 2.3.4 and its cgroups 3.1.3", () => {
  const upstreams = [...fixture("containerd-2.3.4.txt"), ...fixture("cgroups-3.1.3.txt")];
  const PACKAGES = [
    ...["containerd.task.v2", "containerd.v1.types", "containerd.types", "containerd.events"],
    ...["containerd.services.events.ttrpc.v1", "runtimeoptions.v1", "containerd.runtime.bootstrap.v1"],
    ...["io.containerd.cgroups.v1", "io.containerd.cgroups.v2"],
  ];
  /** Of whom no shim is asked, and figures that the agent's protocol does not carry. */
  const LEFT_OUT = [
    "containerd.task.v2.ExecProcessResponse",
    "containerd.types.ActivationInfo",
    "containerd.types.ActiveMount",
    "containerd.types.RuntimeRequest",
    "containerd.v1.types.Process",
    ...["CgroupStats", "MemoryOomControl", "RdmaEntry", "RdmaStat"].map(
      (one) => `io.containerd.cgroups.v1.${one}`,
    ),
    ...["MemoryEvents", "PSIData", "PSIStats", "RdmaEntry", "RdmaStat"].map(
      (one) => `io.containerd.cgroups.v2.${one}`,
    ),
  ];
  /** Itself left out, or a field of such a type. */
  const isLeftOut = (fact: string) =>
    isOf(LEFT_OUT, fact) || LEFT_OUT.some((one) => fact.endsWith(` ${one}`));
  const isV3 = (fact: string) => fact.startsWith("containerd.task.v3.");

  it("has every message, field, enum value and method but those listed, and nothing beyond", () => {
    expect(LEFT_OUT.filter((one) => !upstreams.includes(one))).toEqual([]);
    const expected = upstreams.filter((fact) => !isV3(fact) && !isLeftOut(fact));
    expect(expected.length).toBeGreaterThan(300);
    expect(factsOf(root, PACKAGES)).toEqual(expected.sort());
  });

  it("has the Task service's version 3 with version 2's messages, which upstream's are field by field", () => {
    const inV2 = (fact: string) =>
      fact.replaceAll(/containerd\.task\.v3\.(?!Task\.)/g, "containerd.task.v2.");
    const expected = upstreams.filter(isV3).map(inV2);
    const messages = expected.filter((fact) => !isV3(fact));
    expect(messages).toEqual(
      upstreams.filter((fact) => isOf(["containerd.task.v2"], fact) && !fact.includes("(")),
    );
    expect(factsOf(root, ["containerd.task.v3"])).toEqual(expected.filter(isV3));
  });
});
