import { setOps } from "@kata-containers/sys";
import { afterEach, beforeEach, expect, it } from "vitest";
import { main } from "../main.ts";
import { useOps } from "../testing/fake-ops.ts";
import { factoryCommand } from "./factory-command.ts";

let written: Record<number, string>;

beforeEach(() => {
  written = { 1: "", 2: "" };
  useOps({
    geteuid: () => 0,
    readlink: () => "/cwd",
    writeSync: (fd, bytes) => {
      written[fd] += new TextDecoder().decode(bytes);
    },
  });
});
afterEach(() => setOps(undefined));

it.each([
  [[], "factory: ACTION is missing (see kata-runtime factory --help)"],
  [
    ["begin"],
    'factory: unknown ACTION "begin" (known: init, status, destroy) (see kata-runtime factory --help)',
  ],
  [["init", "now"], 'factory: unexpected argument "now" (see kata-runtime factory --help)'],
  [
    ["status", "-f", "toml"],
    'factory: unknown format "toml" (known: table, json) (see kata-runtime factory --help)',
  ],
  [["destroy", "--format", "json"], "factory destroy: --format is for status alone"],
])("refuses %j in one line", async (words, message) => {
  expect(await main(["kata-runtime", "factory", ...words], [factoryCommand])).toBe(1);
  expect(written).toEqual({ 1: "", 2: `kata-runtime: ${message}\n` });
});

it("shows its actions in its usage", async () => {
  expect(await main(["kata-runtime", "factory", "--help"], [factoryCommand])).toBe(0);
  expect(written[1]).toContain("Usage: kata-runtime factory [OPTIONS] init|status|destroy\n");
});
