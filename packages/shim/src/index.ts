export { connectDaemon, type DaemonClient } from "./client/daemon-client.ts";
export { ENDING, FORWARDED, SignalInbox } from "./signal-inbox.ts";
