import { type Ops, setOps } from "@kata-containers/sys";

/** One call of an op, as `name(arguments)`. */
export interface RecordedOps {
  readonly calls: string[];
}

/**
 * Puts an op table in place that records every call. An op that is not in `fake` gives 0, and what is written here
 * decides no test: give every op whose answer counts.
 */
export function recordOps(fake: Partial<Ops>): RecordedOps {
  const calls: string[] = [];
  setOps(
    new Proxy(Object.create(null), {
      get: (_, name) => {
        const op = Reflect.get(fake, name);
        return (...given: unknown[]) => {
          calls.push(`${String(name)}(${given.map((each) => JSON.stringify(each)).join(", ")})`);
          return typeof op === "function" ? op(...given) : 0;
        };
      },
    }),
  );
  return { calls };
}
