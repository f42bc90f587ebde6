import { HealthCheckResponse_ServingStatus } from "@kata-containers/protocols";
import { AGENT_VERSION, API_VERSION } from "../version.ts";

/** grpc.Health: the agent serves from its first answer on. */
export const healthMethods = () => ({
  Check: () => ({ status: HealthCheckResponse_ServingStatus.SERVING }),
  Version: () => ({ grpcVersion: API_VERSION, agentVersion: AGENT_VERSION }),
});
