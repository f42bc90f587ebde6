import { readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, it } from "vitest";
import { factsOf } from "./testing/facts.ts";
import { loadProtos } from "./testing/protos.ts";

const UPSTREAM_FILES = ["agent.proto", "csi.proto", "health.proto", "oci.proto", "types.proto"];
const ours = factsOf(loadProtos(), UPSTREAM_FILES);
const upstreams = readFileSync(join(import.meta.dirname, "testing/kata-containers-3.2.0.txt"), "utf8")
  .split("\n")
  .filter((line) => line !== "" && !line.startsWith("#"));

it("has every message, field, enum value and method of kata-containers 3.2.0, by its name, number and type", () => {
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
/** Ours in upstream's messages: an upstream agent or runtime passes over them. */
const OUR_FIELDS = [
  "grpc.CreateContainerRequest.oci_rest_json=101 string",
  "grpc.CreateContainerRequest.seccomp=100 grpc.CompiledSeccomp",
  "grpc.ExecProcessRequest.process_rest_json=100 string",
  "grpc.LinuxSeccomp.DefaultErrnoRet=100 uint32",
  "grpc.Spec.Domainname=100 string",
  "grpc.UpdateContainerRequest.resources_rest_json=100 string",
  "grpc.User.Umask=100 uint32",
];

it("has beyond that Kata 1.x's calls, and in upstream's messages the fields listed alone, from number 100 on", () => {
  const beyond = ours.filter((fact) => !upstreams.includes(fact));
  const inOurs = (fact: string) =>
    OUR_MESSAGES.some((message) => fact === message || fact.startsWith(`${message}.`));
  expect(beyond.filter((fact) => !inOurs(fact))).toEqual([...OUR_METHODS, ...OUR_FIELDS].sort());
  for (const field of OUR_FIELDS) expect(Number(/=(\d+) /.exec(field)?.[1])).toBeGreaterThanOrEqual(100);
});
