import type { KataConfig } from "@kata-containers/config";
import { CacheServer, type CacheStatus, connectCache, parseCacheStatus } from "@kata-containers/shim";
import { KataError, Logger } from "@kata-containers/sys";
import type { Globals } from "../globals.ts";
import { printText } from "../print.ts";

/** Longer than its idle daemons may take to end, ms. */
const END_MS = 15_000;

/** Keeps virtual machines ready until it is told to end; says so when all of them are, for the first time. */
export async function serveCache(config: KataConfig, { debug }: Globals): Promise<void> {
  const level = debug ? "debug" : "warning";
  const server = new CacheServer(config, new Logger({ fd: 2, level, name: "kata-runtime", source: "cache" }));
  server.full.then(() => printText("vm factory initialized\n"));
  await server.run();
}

/** undefined: nobody serves it. @throws KataError */
export async function cacheStatus(config: KataConfig): Promise<CacheStatus | undefined> {
  return await ask(config, { status: true }, parseCacheStatus);
}

/** Has it end, with those that wait; those that were taken go on. Nothing when nobody serves it. */
export async function endCache(config: KataConfig): Promise<void> {
  await ask(config, { quit: true }, () => undefined);
}

async function ask<T>(
  config: KataConfig,
  request: Readonly<Record<string, unknown>>,
  read: (answer: Readonly<Record<string, unknown>>) => T,
): Promise<T | undefined> {
  const { vm_cache_endpoint: path } = config.factory;
  try {
    using server = await connectCache(config);
    if (server === undefined) return undefined;
    await server.send(request);
    const answer = await server.receiveWithin(END_MS, "its server");
    return answer === undefined ? undefined : read(answer.message);
  } catch (error) {
    throw KataError.from(error, `vm_cache_endpoint ${path}`);
  }
}
