import { KataError } from "@kata-containers/sys";

/** The template maker's command line: `--make-template [--debug]`. @throws KataError InvalidArgument */
export function parseMakerArguments(args: readonly string[]): { readonly debug: boolean } {
  const unknown = args.find((arg) => arg !== "--make-template" && arg !== "--debug");
  if (unknown !== undefined) throw new KataError("InvalidArgument", `${unknown}: unknown option`);
  return { debug: args.includes("--debug") };
}
