import type { ForwarderCloseRequest, ForwarderConnectRequest } from "@kata-containers/protocols";
import type { Context } from "@kata-containers/ttrpc";
import type { Forwarder } from "../network/forwarder.ts";

/** The RPCs about connections to the guest's loopback interface; their bytes go by {@link streamMethods}. */
export const forwarderMethods = (forwarder: Forwarder) => ({
  Connect: async ({ port }: ForwarderConnectRequest, { signal }: Context) => {
    const execId = await forwarder.connect(port);
    // Who asked does not wait any more, and will not close it.
    if (signal.aborted) forwarder.close(execId);
    return { execId };
  },

  Close: async ({ execId }: ForwarderCloseRequest) => {
    forwarder.close(execId);
    return {};
  },
});
