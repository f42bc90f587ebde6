// The typed face of the native ops, and what every program of ours is built from.

export { acceptAll } from "./accept-all.ts";
export {
  BPF_FRAME,
  BPF_FROM_MAP,
  BPF_OP,
  type BpfInstruction,
  bpfProgram,
  bpfWords,
} from "./bpf-program.ts";
export * from "./constants.ts";
export { deadline } from "./deadline.ts";
export { DNS, readDnsMessage, writeDnsMessage } from "./dns-message.ts";
export { environment } from "./environment.ts";
export { ERRNO } from "./errno.ts";
export { Fd, makePipe } from "./fd.ts";
export {
  exists,
  MAX_TEXT_BYTES,
  mkdirp,
  readText,
  removeTree,
  replaceFile,
  unlinkIfThere,
  writeFileAtomic,
  writeText,
} from "./files.ts";
export { joinPath } from "./join-path.ts";
export { isSuppressedError, KataError, STATUS, type StatusName } from "./kata-error.ts";
export { LEVELS, type Level, type LogFields, Logger, type LoggerOptions, logfmt } from "./logger.ts";
export { netDeviceFigures } from "./net-device-figures.ts";
export { loadNodeAddon } from "./node-addon.ts";
export type * from "./ops.gen.ts";
export { ops, setOps } from "./ops.ts";
export { childrenOf, processMetrics, readProc, statFigures } from "./process-metrics.ts";
export { counter, gauge, gauges, itemGauges, label, procBytes, type Sample } from "./prometheus.ts";
export { RpcDurations } from "./rpc-durations.ts";
export { EXIT_BROKEN, runMain } from "./run-main.ts";
export { signalIfAlive } from "./signal-if-alive.ts";
export { SIG, signalName, signalNumber } from "./signals.ts";
export { type AbortSignalLike, sleep } from "./sleep.ts";
export { describeError, mappedStack } from "./stack.ts";
export { isSysError, SysError } from "./sys-error.ts";
export { Undo } from "./undo.ts";
export { COMMIT, VERSION } from "./version.ts";
