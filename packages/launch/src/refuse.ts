import { KataError } from "@kata-containers/sys";

/** The configuration asks for something that we cannot do: said before anything is made, never ignored. */
export function unsupported(where: string, what: string): never {
  throw new KataError("Unimplemented", `config.json: ${where}: ${what} is not supported`);
}

/** The configuration contradicts itself or the machine. */
export function invalid(where: string, why: string): never {
  throw new KataError("InvalidArgument", `config.json: ${where}: ${why}`);
}
