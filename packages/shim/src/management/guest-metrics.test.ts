import { expect, test } from "vitest";
import { checkGuestMetrics } from "./guest-metrics.ts";

const GOOD = `# HELP kata_guest_load Guest "system\\\\ load\\n.
# TYPE kata_guest_load gauge
kata_guest_load{item="load1"} 0.5
kata_guest_load{item="load15"} 1e-05
# TYPE kata_agent_scrape_count counter
kata_agent_scrape_count 3
kata_guest_netdev_stat{interface="e\\"\\\\\\n0",item="recv_bytes"} NaN
kata_guest_tasks{} -Inf
`;

test("what upstream's agent tells is passed on as it is", () => {
  expect(checkGuestMetrics(GOOD)).toBe(GOOD);
  expect(checkGuestMetrics(GOOD.replaceAll("\n", "\n\n").slice(0, -2))).toBe(GOOD);
  expect(checkGuestMetrics("")).toBe("");
});

test.each([
  ["the host's families", "kata_shim_threads 1"],
  ["the host's families, by their type alone", "# TYPE kata_hypervisor_fds gauge"],
  ["families of anybody", "up 1"],
  ["a comment that is none of a family", "# EOF"],
  ["histograms, whose samples a reader looks into", "# TYPE kata_guest_load histogram"],
  ["labels that whoever collects them adds", 'kata_guest_load{sandbox_id="other"} 1'],
  ["a label twice", 'kata_guest_load{item="a",item="b"} 1'],
  ["no number", "kata_guest_load one"],
  ["a number that no float holds", "kata_guest_load 1e400"],
  ["a number of too many digits", `kata_guest_load ${"9".repeat(400)}`],
  ["an escape that is none in a description", "# HELP kata_guest_load a\\tb"],
  ["a number of another base", "kata_guest_load 0x10"],
  ["a time", "kata_guest_load 1 1700000000000"],
  ["a quote that does not end", 'kata_guest_load{item="a} 1'],
  ["an escape that is none", 'kata_guest_load{item="\\x"} 1'],
  ["control characters", 'kata_guest_load{item="\u001b[2J"} 1'],
  ["carriage returns", "kata_guest_load 1\r"],
  ["text", "hello"],
  ["a type twice", "# TYPE kata_guest_load gauge\n# TYPE kata_guest_load gauge"],
  ["a type behind samples", "kata_guest_load 1\n# TYPE kata_guest_load gauge"],
  ["a family in two pieces", "kata_guest_load 1\nkata_guest_tasks 1\nkata_guest_load 2"],
  ["a long line", `kata_guest_load{item="${"x".repeat(2000)}"} 1`],
  ["too much", "kata_guest_load 1\n".repeat(40_000)],
])("a guest that tells %s is not listened to", (_, text) => {
  expect(() => checkGuestMetrics(`kata_agent_total_vm 1\n${text}\n`)).toThrow(/^metrics of the guest: /);
});
