import type { Sandbox } from "@kata-containers/virtcontainers";
import { expect, test, vi } from "vitest";
import type { SandboxMetrics } from "../management/sandbox-metrics.ts";
import { ControlService } from "./control-service.ts";

const never = new Promise<never>(() => {});

test("whoever waits for one event after the other leaves nothing behind at the container's process", async () => {
  const ended = new Promise<never>(() => {});
  const reactions = vi.spyOn(ended, "then");
  let ooms = 0;
  const sandbox = {
    container: () => ({ init: { exit: undefined, ended } }),
    ooms: { count: () => ooms, next: async () => ++ooms },
  };
  const service = new ControlService(sandbox as unknown as Sandbox, {} as unknown as SandboxMetrics);
  for (let seen = 0; seen < 3; seen++) {
    const news = await service.nextEvent({ id: "c", oomsSeen: seen, atOnce: false }, never);
    expect(news).toEqual({ ooms: seen + 1, ended: false });
  }
  expect(reactions).not.toHaveBeenCalled();
});
