import { afterAll, beforeAll, beforeEach } from "vitest";
import { CacheServer } from "./cache.ts";
import { cellNamed, WAITING } from "./cells.ts";
import { configurationFile } from "./programs.ts";

/** In a cell whose virtual machines wait in a cache: that of the suite, full before each of its tests. A set-up file of tests/vitest.config.ts. */
const name = process.env.KATA_TEST_CELL;
if (name !== undefined && cellNamed(name).factory === "cache") {
  let server: CacheServer | undefined;
  beforeAll(async () => {
    server = await CacheServer.start(configurationFile, WAITING);
  });
  beforeEach(() => server?.full());
  afterAll(() => server?.[Symbol.asyncDispose]());
}
