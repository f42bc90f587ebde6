import { ops } from "./ops.ts";

/** The value of an environment variable; undefined when it is not set. @param env "NAME=value", by default this process's */
export function environment(name: string, env: readonly string[] = ops.env()): string | undefined {
  const prefix = `${name}=`;
  return env.find((entry) => entry.startsWith(prefix))?.slice(prefix.length);
}
