export type { NativeArch } from "./architecture.ts";
export { type CompiledSeccomp, compileSeccomp } from "./compile-seccomp.ts";
