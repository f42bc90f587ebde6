import type { KataConfig } from "@kata-containers/config";
import {
  type Link,
  type NetworkChanges,
  openRtnetlink,
  type Rtnetlink,
  watchNetwork,
} from "@kata-containers/netlink";
import { AgentService } from "@kata-containers/protocols";
import { exists, Fd, KataError, type Logger, O, ops } from "@kata-containers/sys";
import type { Agent } from "../agent-client/agent.ts";
import type { Nic, NicSlots } from "../hypervisor/hypervisor.ts";
import { interfaceMessage, neighbourMessages, routeMessages } from "./guest-messages.ts";
import { type Endpoint, type NetworkView, tapName, viewNetwork } from "./network-view.ts";
import { connectTap, releaseLink } from "./redirect.ts";
import { ResolverRelay } from "./resolver-relay.ts";

const VHOST_NET = "/dev/vhost-net";

/** The network card of an interface. */
export interface LinkNic extends Nic {
  /** Its name. */
  readonly link: string;
}

/** The network of a sandbox: what is in its namespace the guest has, from the start and when it changes. */
export interface SandboxNetwork {
  /** Network cards for the interfaces that are there before the VM starts; the VMM gets duplicates of their descriptors. */
  readonly nics: readonly LinkNic[];
  /** The VM runs, and has the cards. */
  started(vm: NicSlots): void;
  /**
   * The guest is there: it gets a card for each interface that has appeared, and is told all that there is; and later what changes.
   * Not sooner, so that no card is plugged in while firmware or kernel look for those that there are.
   * @throws KataError naming the interface that cannot be connected, or what the guest could not do
   */
  configure(agent: Pick<Agent, "request">): Promise<void>;
  /** The namespace is as it was, but for taps that the VMM still holds. */
  close(): void;
}

/** For internetworking_model "none": the VM has no card, whatever is in its namespace. */
export const NO_NETWORK: SandboxNetwork = {
  nics: [],
  started() {},
  async configure() {},
  close() {},
};

export type NetworkDeps = {
  readonly rtnetlink: Rtnetlink;
  readonly changes: NetworkChanges;
  /** The host's kernel moves the frames. */
  readonly vhost: boolean;
  /** What the sandbox's redirections are known by, in hexadecimal. */
  readonly mark: string;
  readonly log: Logger;
  readonly resolver: Pick<ResolverRelay, "offer">;
};

/**
 * Connects the interfaces of the network namespace that this process is in, if the configuration wants that.
 * @param kvm whether KVM runs the guest
 * @throws KataError naming an interface that cannot be connected; nothing was changed
 */
export function openSandboxNetwork(
  { runtime, hypervisor }: KataConfig,
  kvm: boolean,
  { mark, log }: Pick<NetworkDeps, "mark" | "log">,
): SandboxNetwork {
  if (runtime.internetworking_model === "none") return NO_NETWORK;
  const vhost = kvm && !hypervisor.disable_vhost_net && exists(VHOST_NET);
  return new NamespaceNetwork({
    ...{ vhost, mark, log },
    rtnetlink: openRtnetlink(),
    changes: watchNetwork(),
    resolver: new ResolverRelay(log),
  });
}

/** What the guest was told last, as JSON: it is told again only when that is something else. */
type Told = { readonly interfaces: Map<number, string>; routes: string; neighbours: string };

export class NamespaceNetwork implements SandboxNetwork {
  readonly #deps: NetworkDeps;
  readonly #present: LinkNic[] = [];
  /** Links that are connected, by index. */
  readonly #connected = new Map<number, { readonly id: string; readonly mac: string }>();
  readonly #told: Told = { interfaces: new Map(), routes: "[]", neighbours: "[]" };
  /** Reasons that were logged, each once. */
  readonly #logged = new Set<string>();
  #cards = 0;
  #vm: NicSlots | undefined;
  #agent: Pick<Agent, "request"> | undefined;
  #closed = false;
  /** The last of the looks at the namespace, which come one after the other; never rejected. */
  #looks: Promise<void> = Promise.resolve();

  constructor(deps: NetworkDeps) {
    this.#deps = deps;
    try {
      const view = this.#view();
      refuse(view);
      for (const { link } of view.endpoints) this.#present.push(this.#connect(link));
    } catch (error) {
      this.close();
      throw error;
    }
  }

  get nics(): readonly LinkNic[] {
    return this.#present;
  }

  started(vm: NicSlots): void {
    for (const nic of this.#present) closeNic(nic);
    this.#vm = vm;
  }

  async configure(agent: Pick<Agent, "request">): Promise<void> {
    this.#agent = agent;
    await this.#look(refuse);
    void this.#watch();
  }

  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    const { rtnetlink, changes, log } = this.#deps;
    for (const index of this.#connected.keys()) {
      try {
        releaseLink(rtnetlink, index);
      } catch (error) {
        log.error("cannot restore a network interface", { index, reason: KataError.from(error).message });
      }
    }
    for (const nic of this.#present) closeNic(nic);
    changes[Symbol.dispose]();
    rtnetlink[Symbol.dispose]();
  }

  async #watch(): Promise<void> {
    const { changes, log } = this.#deps;
    try {
      while (await changes.next()) {
        await this.#look((view) => this.#warnOf(view)).catch((error) => {
          this.#warnOnce(KataError.from(error).message);
        });
      }
    } catch (error) {
      log.error("the network is not followed any more", { reason: KataError.from(error).message });
    }
  }

  /** One look at the namespace after those before it: what is new is plugged, what is gone unplugged, what changed told. */
  #look(judge: (view: NetworkView) => void): Promise<void> {
    const look = this.#looks.then(() => this.#follow(judge));
    this.#looks = look.catch(() => {});
    return look;
  }

  async #follow(judge: (view: NetworkView) => void): Promise<void> {
    if (this.#closed) return;
    const view = this.#view();
    judge(view);
    // One interface that cannot be connected keeps none of the others from the guest.
    const failures: unknown[] = [];
    const attempt = (work: Promise<void>) => work.catch((error) => failures.push(error));
    await attempt(this.#unplugGone(view));
    for (const endpoint of view.endpoints) await attempt(this.#plugNew(endpoint));
    if (this.#agent !== undefined) {
      await this.#tell(this.#agent, this.#connectedPart(view));
      await this.#deps.resolver.offer(this.#agent);
    }
    if (failures.length > 0) throw failures[0];
  }

  #connectedPart(view: NetworkView): NetworkView {
    const isConnected = (index: number) => this.#connected.has(index);
    return {
      ...view,
      endpoints: view.endpoints.filter(({ link }) => isConnected(link.index)),
      routes: view.routes.filter(({ link }) => isConnected(link)),
      neighbours: view.neighbours.filter(({ link }) => isConnected(link)),
    };
  }

  #view(): NetworkView {
    return viewNetwork(this.#deps.rtnetlink, new Set(this.#connected.keys()));
  }

  /** An interface with another address is another one to the guest, which knows it by that. */
  async #unplugGone({ endpoints }: NetworkView): Promise<void> {
    for (const [index, { id, mac }] of this.#connected) {
      const link = endpoints.find((each) => each.link.index === index)?.link;
      if (link?.mac === mac) continue;
      this.#connected.delete(index);
      this.#told.interfaces.delete(index);
      releaseLink(this.#deps.rtnetlink, index);
      await this.#vm?.unplugNic(id);
    }
  }

  async #plugNew({ link }: Endpoint): Promise<void> {
    if (this.#connected.has(link.index) || this.#closed) return;
    const nic = this.#connect(link);
    try {
      await this.#vm?.plugNic(nic);
    } catch (error) {
      this.#connected.delete(link.index);
      releaseLink(this.#deps.rtnetlink, link.index);
      throw KataError.from(error, `network interface ${link.name}`);
    } finally {
      closeNic(nic);
    }
  }

  #connect(link: Link): LinkNic {
    const { rtnetlink, vhost, mark } = this.#deps;
    const accelerated = vhost ? openVhost() : undefined;
    try {
      const tap = connectTap(rtnetlink, link, freeTapName(rtnetlink), mark);
      const id = `net${this.#cards++}`;
      this.#connected.set(link.index, { id, mac: link.mac });
      return { id, mac: link.mac, tap, vhost: accelerated, link: link.name };
    } catch (error) {
      accelerated?.close();
      throw error;
    }
  }

  async #tell(agent: Pick<Agent, "request">, view: NetworkView): Promise<void> {
    const told = this.#told;
    for (const endpoint of view.endpoints) {
      const message = interfaceMessage(endpoint);
      const text = JSON.stringify(message);
      if (told.interfaces.get(endpoint.link.index) === text) continue;
      await agent.request(AgentService.UpdateInterface, { interface: message });
      told.interfaces.set(endpoint.link.index, text);
      // A card that went down for it, or is a new one, has lost its routes and neighbours.
      told.routes = "";
      told.neighbours = "[]";
    }
    const Routes = routeMessages(view);
    const routes = JSON.stringify(Routes);
    if (told.routes !== routes) await agent.request(AgentService.UpdateRoutes, { routes: { Routes } });
    told.routes = routes;
    const ARPNeighbors = neighbourMessages(view);
    const neighbours = JSON.stringify(ARPNeighbors);
    if (told.neighbours !== neighbours)
      await agent.request(AgentService.AddARPNeighbors, { neighbors: { ARPNeighbors } });
    told.neighbours = neighbours;
    this.#warnOf(view);
  }

  #warnOf(view: NetworkView): void {
    for (const why of view.refused.values()) this.#warnOnce(why);
    for (const { destination, beyond } of view.routes) {
      if (beyond === undefined) continue;
      this.#warnOnce(
        `route ${destination ?? "default"} (${beyond}) is left out: the guest cannot be told of it`,
      );
    }
  }

  #warnOnce(text: string): void {
    if (this.#closed || this.#logged.has(text)) return;
    this.#logged.add(text);
    this.#deps.log.warn(text);
  }
}

/** @throws KataError FailedPrecondition naming the first interface that cannot be connected */
function refuse(view: NetworkView): void {
  for (const why of view.refused.values()) throw new KataError("FailedPrecondition", why);
}

function freeTapName(rtnetlink: Rtnetlink): string {
  const taken = new Set(rtnetlink.links().map(({ name }) => name));
  let number = 0;
  while (taken.has(tapName(number))) number++;
  return tapName(number);
}

function openVhost(): Fd {
  return new Fd(ops.open(VHOST_NET, O.RDWR | O.CLOEXEC, 0));
}

function closeNic({ tap, vhost }: Nic): void {
  tap.close();
  vhost?.close();
}
