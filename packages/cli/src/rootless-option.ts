import { KataError } from "@kata-containers/sys";

/** The global option `--rootless`, but for its help. */
export const rootlessOption = { value: "MODE" } as const;

/** Go's strconv.ParseBool, which runc reads it by. */
const VALUES = new Map([
  ...["1", "t", "T", "true", "TRUE", "True"].map((text) => [text, true] as const),
  ...["0", "f", "F", "false", "FALSE", "False"].map((text) => [text, false] as const),
]);

/** @throws KataError InvalidArgument */
export function parseRootless(text: string | undefined): boolean | "auto" {
  if (text === undefined || text === "" || text.toLowerCase() === "auto") return "auto";
  const value = VALUES.get(text);
  if (value === undefined)
    throw new KataError("InvalidArgument", `--rootless: ${JSON.stringify(text)} is not true, false or auto`);
  return value;
}
