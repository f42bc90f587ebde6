import { counter } from "@kata-containers/sys";
import { agentMetrics } from "../metrics/agent-metrics.ts";
import { guestMetrics } from "../metrics/guest-metrics.ts";

/** GetMetrics: the agent's and the guest's figures, in Prometheus's text format. */
export const metricsMethods = () => {
  let scrapes = 0;
  return {
    GetMetrics: () => {
      const scraped = counter("kata_agent_scrape_count", ++scrapes);
      return { metrics: scraped + agentMetrics() + guestMetrics() };
    },
  };
};
