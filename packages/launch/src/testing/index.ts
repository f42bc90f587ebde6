// For the tests in tests/: what the programs have no use for by itself.

export { deviceFilter } from "../cgroup/device-filter.ts";
export { deviceRules } from "../cgroup/device-rules.ts";
