export { ConnectionEnd } from "@kata-containers/ttrpc";
export { adoptDaemon, type TakenDaemon } from "./cache/adopt-daemon.ts";
export { CacheServer } from "./cache/cache-server.ts";
export { connectCache } from "./cache/connect-cache.ts";
export { type CacheStatus, type IdleVm, parseCacheStatus } from "./cache/idle-vm.ts";
export { type BindMount, type Bundle, bundleOf, readBundle } from "./client/bundle.ts";
export {
  claimRecord,
  containerBeingMade,
  type RecordClaim,
  sandboxBeingMade,
} from "./client/claim-record.ts";
export { connectDaemon, type DaemonClient } from "./client/daemon-client.ts";
export {
  createTimeoutMs,
  type DaemonOrder,
  type DaemonProcess,
  listenForDaemon,
  spawnDaemon,
} from "./client/daemon-process.ts";
export { checkJoinedNamespaces, isSameNamespace, openNamespace } from "./client/joined-namespaces.ts";
export { leaveSandbox } from "./client/leave-sandbox.ts";
export { checkNamespacesOf } from "./client/namespace-paths.ts";
export { namedNetwork, openNetworkNamespace } from "./client/network-namespace.ts";
export {
  endScope,
  insideScope,
  releaseScope,
  type WantedScope,
  wantedScope,
} from "./client/sandbox-scope.ts";
export { type MadeTemplate, makeTemplate, type TemplateOrder } from "./client/template-maker.ts";
export { openTrees, type Trees, type VolumeTree } from "./client/trees.ts";
export { ENDING, FORWARDED, SignalInbox } from "./signal-inbox.ts";
