import { afterAll, afterEach } from "vitest";
import { eventually } from "./process.ts";
import { SuiteLeaks } from "./suite-leaks.ts";

/**
 * The leak check that every suite has, as a set-up file of tests/vitest.config.ts: it is run before the suite's file is, and its hook is
 * the last one after it.
 */
const leaks = new SuiteLeaks();

afterEach(() => leaks.lookForOthers());

afterAll(async () => {
  let left: string[] = [];
  const none = () => {
    left = leaks.find();
    return left.length === 0 ? true : undefined;
  };
  await eventually("no leaks", none, 15_000).catch(() => {
    throw new Error(`the suite left behind:\n${left.join("\n")}`);
  });
});
