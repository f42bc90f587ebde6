import { Fd, SysError, setOps } from "@kata-containers/sys";
import type { IdleMachine } from "@kata-containers/virtcontainers";
import { afterEach, expect, test } from "vitest";
import { recordOps } from "../testing/fake-ops.ts";
import { adoptSandbox } from "./daemon.ts";

afterEach(() => setOps(undefined));

test("a sandbox that an idle daemon cannot become is undone, also when its machine does not stop", async () => {
  const looks: string[] = [];
  let said = "";
  recordOps({
    utf8Encode: (text) => new TextEncoder().encode(text),
    utf8Decode: (bytes) => new TextDecoder().decode(bytes),
    writeSync: (_, bytes) => {
      said += new TextDecoder().decode(bytes);
    },
    readFile: (path) => {
      looks.push(path);
      throw new SysError("EIO", "read", path);
    },
  });
  const stop = () => Promise.reject(new Error("QEMU stays"));
  const idle = { machine: { stop } } as unknown as IdleMachine;
  const args = { id: "s1", root: "/state", config: "/c", debug: false };
  const enter = () => expect.unreachable();
  expect(await adoptSandbox({ args, idle, enter, listener: 5, told: new Fd(3) })).toBe(1);
  expect(said).toMatch(/^\{"error":".*EIO.*"\}\n$/);
  // For the sandbox, and for what is to be undone.
  expect(looks).toEqual(["/state/s1/persist.json", "/state/s1/persist.json"]);
});
