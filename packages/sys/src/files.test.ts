import { afterEach, expect, test } from "vitest";
import { removeTree } from "./files.ts";
import type { Ops } from "./ops.gen.ts";
import { setOps } from "./ops.ts";
import { SysError } from "./sys-error.ts";

afterEach(() => setOps(undefined));

/** A directory `/d` in which somebody still makes `more` files, each as it is about to be removed. @returns what was removed */
function busyDirectory(more: number): string[] {
  const removed: string[] = [];
  let files = ["f0"];
  let made = 0;
  const fake: Partial<Ops> = {
    open: () => 3,
    openat2: () => 4,
    close: () => {},
    readdirFd: () => files.map((name) => ({ name, type: "file" })),
    unlinkat(_directory, name, flags) {
      if (name === "d" && flags === 0) throw new SysError("EISDIR", "unlinkat", name);
      if (name === "d" && made < more) files = [`f${++made}`];
      if (name === "d" && files.length > 0) throw new SysError("ENOTEMPTY", "unlinkat", name);
      files = files.filter((each) => each !== name);
      removed.push(name);
    },
  };
  setOps(fake as Ops);
  return removed;
}

test("a directory in which somebody still writes is removed with what comes meanwhile", () => {
  const removed = busyDirectory(3);
  removeTree("/d");
  expect(removed).toEqual(["f0", "f1", "f2", "f3", "d"]);
});

test("one that never becomes empty is an error that names it", () => {
  busyDirectory(1000);
  expect(() => removeTree("/d")).toThrow(expect.objectContaining({ code: "ENOTEMPTY", path: "/d" }));
});
