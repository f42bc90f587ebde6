import { expect, test } from "vitest";
import { parseDaemonArguments } from "./arguments.ts";

const all = ["--daemon", "--id", "c", "--root", "/r", "--config", "/c", "--netns-fd", "4"];

test("reads what kata-runtime gives", () => {
  const parsed = { id: "c", root: "/r", config: "/c", netnsFd: 4, debug: false, orphanSeconds: 30 };
  expect(parseDaemonArguments(all)).toEqual(parsed);
  expect(parseDaemonArguments([...all, "--debug"])).toEqual({ ...parsed, debug: true });
  expect(parseDaemonArguments([...all, "--orphan-seconds", "90"]).orphanSeconds).toBe(90);
});

test("with an owner there is no configuration on disk", () => {
  const owned = ["--daemon", "--id", "c", "--root", "/r", "--owner-fd", "6"];
  expect(parseDaemonArguments(owned)).toMatchObject({ config: "", ownerFd: 6, netnsFd: undefined });
  expect(() => parseDaemonArguments([...owned.slice(0, -1), "x"])).toThrow("--owner-fd x");
});

test("a missing, empty or unknown option is named", () => {
  expect(() => parseDaemonArguments(all.slice(0, -4))).toThrow("--config is missing");
  expect(() => parseDaemonArguments([...all, "--x", "1"])).toThrow("--x");
  expect(() => parseDaemonArguments([...all, "--id"])).toThrow("--id");
  expect(() => parseDaemonArguments([...all.slice(0, -1), "x"])).toThrow("--netns-fd x");
});
