export * from "./paths.ts";
export * from "./persist/file-store.ts";
export * from "./persist/memory-store.ts";
export * from "./persist/process-identity.ts";
export * from "./persist/record.ts";
export * from "./persist/store.ts";
export * from "./persist/undo.ts";
export * from "./resource/cgroup.ts";
