/** systemd's part in control groups: transient scopes, by D-Bus. */

export { changeScope, checkSystemd, startScope, stopScope } from "./scope.ts";
export { isScopeName, parseScopeName, refuseScopeName, type ScopeName } from "./scope-name.ts";
export {
  ignoredAnnotations,
  limitProperties,
  limitPropertiesV1,
  type Property,
  type Weights,
} from "./scope-properties.ts";
