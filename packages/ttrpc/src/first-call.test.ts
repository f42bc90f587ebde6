import { Health } from "@kata-containers/protocols";
import { expect, test } from "vitest";
import { createClient } from "./client.ts";
import { firstCall } from "./first-call.ts";
import { Handlers } from "./handlers.ts";
import { memoryPair } from "./memory-transport.ts";
import { serve } from "./serve.ts";
import type { FrameTransport, Listener } from "./transport.ts";

/** Gives one connection, and no other. */
function listenerOf(connection: FrameTransport): Listener {
  let given = false;
  return {
    accept: () => {
      if (given) return new Promise(() => {});
      given = true;
      return Promise.resolve(connection);
    },
    close: () => {},
  };
}

test("is answered, whatever the answer says, and a client made afterwards is as the first on the connection", async () => {
  const [client, server] = memoryPair();
  const handlers = new Handlers().unary(Health.Check, async () => ({ status: 1 }));
  serve(listenerOf(server), handlers);
  await firstCall(client, Health.Check);
  await firstCall(client, { service: "grpc.Health", method: "Unknown" });
  expect(await createClient(client).unary(Health.Check, {})).toMatchObject({ status: 1 });
});

test("an end before the answer, and what is none, are errors", async () => {
  const [ended, peer] = memoryPair();
  peer.close();
  await expect(firstCall(ended, Health.Check)).rejects.toThrow();
  const frames = [
    [0, 0, 0, 0, 0, 0, 0, 1, 1, 0],
    [0, 0, 0, 0, 0, 0, 0, 3, 2, 0],
    [0, 0, 16, 1, 0, 0, 0, 1, 2, 0],
  ];
  for (const frame of frames) {
    const [client, other] = memoryPair();
    await other.write(new Uint8Array(frame), []);
    await expect(firstCall(client, Health.Check)).rejects.toThrow("no answer to a first call");
  }
});
