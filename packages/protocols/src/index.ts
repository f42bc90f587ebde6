// The protocols' messages and services: kata-containers 3.2.0's agent, our daemon's own, containerd's shim, ttRPC's frame bodies.

export { Codec, type Init, type Method } from "./codec.ts";
export * from "./gen/agent.gen.ts";
export * from "./gen/cgroups-v1.gen.ts";
export * from "./gen/cgroups-v2.gen.ts";
export * from "./gen/containerd-bootstrap.gen.ts";
export * from "./gen/containerd-events.gen.ts";
export * from "./gen/containerd-task.gen.ts";
export * from "./gen/containerd-task-types.gen.ts";
export { Task as TaskV3 } from "./gen/containerd-task-v3.gen.ts";
export * from "./gen/containerd-ttrpc-events.gen.ts";
export * from "./gen/containerd-types.gen.ts";
export * from "./gen/csi.gen.ts";
export * from "./gen/daemon.gen.ts";
export * from "./gen/forwarder.gen.ts";
export { Any, Empty, Timestamp } from "./gen/google.gen.ts";
export * from "./gen/health.gen.ts";
export * from "./gen/oci.gen.ts";
export * from "./gen/resolver.gen.ts";
export * from "./gen/runtimeoptions.gen.ts";
export { Status } from "./gen/status.gen.ts";
export {
  KeyValue as TtrpcKeyValue,
  Request as TtrpcRequest,
  Response as TtrpcResponse,
} from "./gen/ttrpc.gen.ts";
export * from "./gen/types.gen.ts";
export { grpcToResources, resourcesToGrpc } from "./oci-resources.ts";
export { restOf, withRest } from "./oci-rest.ts";
export { grpcToProcess, grpcToSpec, processToGrpc, specToGrpc } from "./oci-spec.ts";
export { MAX_ELEMENTS, Reader } from "./reader.ts";
export { Writer } from "./writer.ts";
