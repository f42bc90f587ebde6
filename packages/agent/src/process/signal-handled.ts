/**
 * Whether a process catches a signal, by its /proc/<pid>/status (SigCgt, a hexadecimal mask, bit n-1 for signal n).
 * An init process without a handler never sees SIGTERM: the kernel drops it.
 */
export function isSignalHandled(procStatus: string, signal: number): boolean {
  const mask = /^SigCgt:\s*([0-9a-f]+)$/m.exec(procStatus)?.[1] ?? "0";
  return ((BigInt(`0x${mask}`) >> BigInt(signal - 1)) & 1n) === 1n;
}
