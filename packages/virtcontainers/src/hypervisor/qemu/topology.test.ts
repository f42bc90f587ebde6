import { KataError } from "@kata-containers/sys";
import { beforeEach, expect, test } from "vitest";
import { topologyChange } from "./topology.ts";

let commands: string[];
const command = async (name: string) => void commands.push(name);

beforeEach(() => {
  commands = [];
});

test("an emulated machine stands still while it is changed, by one change at a time", async () => {
  const change = topologyChange(command, "tcg", () => true);
  await Promise.all([change(() => command("a")), change(() => command("b"))]);
  expect(commands).toEqual(["stop", "a", "cont", "stop", "b", "cont"]);
});

test("it goes on after a change that failed, and so do the next ones", async () => {
  const change = topologyChange(command, "tcg", () => true);
  const failing = change(async () => {
    throw new KataError("Internal", "QMP: no");
  });
  await expect(failing).rejects.toThrow("QMP: no");
  await change(() => command("b"));
  expect(commands).toEqual(["stop", "cont", "stop", "b", "cont"]);
});

test("with KVM it need not stand still", async () => {
  await topologyChange(command, "kvm", () => true)(() => command("a"));
  expect(commands).toEqual(["a"]);
});

test("one that stands still anyway stays so", async () => {
  await topologyChange(command, "tcg", () => false)(() => command("a"));
  expect(commands).toEqual(["a"]);
});
