import { expect } from "vitest";
import { TestNetwork } from "./network.ts";
import type { Runtime } from "./runtime.ts";
import { SAID, saidBy } from "./templates.ts";

/** How many are started at once. */
const AT_ONCE = 4;

/** What a guest draws from its randomness, and what it is: a line each, in the order of `NAMES`. */
const DRAW = [
  "head -c 16 /dev/urandom | hexdump -v -e '1/1 \"%02x\"'; echo",
  "cat /proc/sys/kernel/random/uuid",
  "cat /proc/sys/kernel/random/boot_id",
  // busybox is no position-independent program: its own addresses are the same everywhere.
  "echo $(grep -e '\\[stack\\]' -e '\\[vdso\\]' /proc/self/maps | cut -d - -f 1)",
  "hostname",
  "cat /sys/class/net/eth0/address",
  "[ -e /etc/machine-id ] && cat /etc/machine-id || echo none",
].join("\n");

const NAMES = ["getrandom", "uuid", "boot ID", "addresses", "hostname", "MAC"] as const;

/** Starts copies of a template, each in a network of its own, and fails when two have anything in common that should be one's own. */
export async function expectNoTwins(runtime: Runtime, count: number): Promise<void> {
  const rows: string[][] = [];
  for (let first = 0; first < count; first += AT_ONCE) {
    const some = Array.from({ length: Math.min(AT_ONCE, count - first) }, (_, index) => first + index);
    rows.push(...(await Promise.all(some.map((number) => drawOf(runtime, number)))));
  }
  for (const [column, name] of NAMES.entries()) {
    const values = rows.map((row) => row[column]);
    expect(values.every(Boolean), name).toBe(true);
    expect(new Set(values).size, `different values of ${name}: ${values.join(", ")}`).toBe(count);
  }
}

async function drawOf(runtime: Runtime, number: number): Promise<string[]> {
  const network = await TestNetwork.open();
  try {
    network.connect("eth0", 60);
    const id = await runtime.start({
      edit: (config) => {
        config.hostname = `copy-${number}`;
        for (const each of config.linux.namespaces)
          if (each.type === "network") each.path = network.inside.path;
      },
    });
    expect(saidBy(runtime, id)).toContainEqual(expect.stringContaining(SAID.copied));
    const drawn = (await runtime.ok(["exec", id, "sh", "-c", DRAW])).trimEnd().split("\n");
    expect(drawn[4]).toBe(`copy-${number}`);
    expect(network.inside.run("ip", "link", "show", "eth0")).toContain(`link/ether ${drawn[5]} `);
    // An image without one gets none.
    expect(drawn[6]).toBe("none");
    await runtime.ok(["delete", "--force", id]);
    return drawn;
  } finally {
    await network.close();
  }
}
