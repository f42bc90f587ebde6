/** The agent's version: GetGuestDetails and Health.Version say it. */
export const AGENT_VERSION = "0.1.0";
/** Of the RPC interface, as upstream's health service says it (src/agent/src/version.rs, API_VERSION). */
export const API_VERSION = "0.0.1";
