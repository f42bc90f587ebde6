import type { Method } from "@kata-containers/protocols";

/** What the histogram of calls calls a method: "resize_pty", "close_io" (kata-2-0-metrics.md, "action"). */
export function actionOf({ method }: Pick<Method<object, object>, "method">): string {
  return method.replace(/([a-z])([A-Z])/g, "$1_$2").toLowerCase();
}
