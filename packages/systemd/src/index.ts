/** systemd's part in control groups: transient scopes, by D-Bus. */

export { hostManager, type Manager, rootCgroup, userManager } from "./manager.ts";
export { changeScope, startScope, stopScope } from "./scope.ts";
export {
  isScopeName,
  parseScopeName,
  refuseScopeName,
  type ScopeName,
  type ScopePlace,
} from "./scope-name.ts";
export {
  annotatedProperties,
  HARMLESS_PROPERTIES,
  limitProperties,
  limitPropertiesV1,
  type Property,
  type Weights,
} from "./scope-properties.ts";
