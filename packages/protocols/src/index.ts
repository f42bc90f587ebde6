// The protocols' messages and services: kata-containers 3.2.0's agent, our daemon's own, ttRPC's frame bodies.

export { Codec, type Init, type Method } from "./codec.ts";
export * from "./gen/agent.gen.ts";
export * from "./gen/csi.gen.ts";
export * from "./gen/daemon.gen.ts";
export { Any, Empty } from "./gen/google.gen.ts";
export * from "./gen/health.gen.ts";
export * from "./gen/oci.gen.ts";
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
