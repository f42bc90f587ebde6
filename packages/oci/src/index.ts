export { isId } from "./check.ts";
export * from "./container-id.ts";
export * from "./example-spec.ts";
export * from "./later-hooks.ts";
export * from "./parse-spec.ts";
export * from "./pod-role.ts";
export * from "./spec.ts";
export * from "./state.ts";
