import { expect, test } from "vitest";
import { KataError } from "./kata-error.ts";
import { isSysError, SysError } from "./sys-error.ts";
import { Undo } from "./undo.ts";

test("a SysError says which call failed on what and why", () => {
  const error = new SysError("ENOENT", "open", "/x");
  expect(error.message).toBe("open /x: ENOENT: no such file or directory");
  expect(error).toMatchObject({ name: "SysError", code: "ENOENT", errno: 2, syscall: "open", path: "/x" });
  expect(new SysError("EPIPE", "write").message).toBe("write: EPIPE: broken pipe");
  expect(new SysError("ESTRANGE", "x", "", 999).message).toBe("x: ESTRANGE");
});

test("isSysError tells by code", () => {
  const error = new SysError("ENOENT", "open");
  expect(isSysError(error)).toBe(true);
  expect(isSysError(error, "EEXIST", "ENOENT")).toBe(true);
  expect(isSysError(error, "EEXIST")).toBe(false);
  expect(isSysError(new Error("ENOENT"), "ENOENT")).toBe(false);
});

test("anything caught becomes a KataError that keeps its cause", () => {
  const cause = new SysError("ENOENT", "open", "/x");
  const error = KataError.from(cause, "cannot start VM");
  expect(error.code).toBe("NotFound");
  expect(error.message).toBe("cannot start VM: open /x: ENOENT: no such file or directory");
  expect(error.cause).toBe(cause);
  expect(KataError.from("text")).toMatchObject({ code: "Internal", message: "text" });
  expect(KataError.from(new SysError("EXDEV", "rename"))).toMatchObject({ code: "Internal" });
});

test("a KataError stays itself, and keeps its code under a new heading", () => {
  const error = new KataError("Unavailable", "agent is gone");
  expect(KataError.from(error)).toBe(error);
  expect(KataError.from(error, "exec")).toMatchObject({
    code: "Unavailable",
    message: "exec: agent is gone",
    cause: error,
  });
});

test("a release that fails as well does not hide the reason", async () => {
  const failing = async () => {
    await using undo = new Undo();
    undo.defer(() => {
      throw new SysError("EBUSY", "rmdir", "/cg");
    });
    throw new KataError("NotFound", "no such command");
  };
  const error = KataError.from(await failing().catch((caught: unknown) => caught));
  expect(error.code).toBe("NotFound");
  expect(error.message).toMatch(/^no such command; and then: rmdir \/cg: EBUSY/);
});
