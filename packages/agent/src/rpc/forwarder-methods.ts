import type { ForwarderCloseRequest, ForwarderConnectRequest } from "@kata-containers/protocols";
import type { Forwarder } from "../network/forwarder.ts";

/** The RPCs about connections to the guest's loopback interface; their bytes go by {@link streamMethods}. */
export const forwarderMethods = (forwarder: Forwarder) => ({
  Connect: async ({ port }: ForwarderConnectRequest) => ({ execId: await forwarder.connect(port) }),

  Close: async ({ execId }: ForwarderCloseRequest) => {
    forwarder.close(execId);
    return {};
  },
});
