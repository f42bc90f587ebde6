import { KataError } from "@kata-containers/sys";

/** What every call fails with that was under way when the connection ended: the peer itself has said nothing. Code Unavailable. */
export class ConnectionEnd extends KataError {
  constructor(reason: KataError) {
    super("Unavailable", reason.message, { cause: reason });
  }
}
