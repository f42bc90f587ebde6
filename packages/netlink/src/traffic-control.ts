import type { Fd } from "@kata-containers/sys";
import { NLM_F } from "./message.ts";
import {
  filterHeader,
  ingressChange,
  parseIngress,
  parseMark,
  qdiscHeader,
  RTM_FILTER,
  RTM_QDISC,
  redirectChange,
} from "./redirect-messages.ts";
import { RouteSocket } from "./route-socket.ts";

/** What tc(8) does with the frames that come in on a link. */
export interface TrafficControl extends Disposable {
  /** Indexes of the links that have a qdisc for incoming frames. */
  ingressLinks(): readonly number[];
  /** @throws SysError EEXIST when the link has one */
  addIngress(link: number): void;
  /** With its filters. @throws SysError ENOENT or EINVAL when the link has none */
  deleteIngress(link: number): void;
  /**
   * Whatever comes in on one link, which has an ingress qdisc, goes out of the other.
   * @param mark by which the redirection is known again: up to 16 bytes in hexadecimal
   */
  redirect(from: number, to: number, mark: string): void;
  /** The marks of all filters of a link's ingress qdisc; "" for one that is no redirection of this kind. */
  filterMarks(link: number): readonly string[];
}

/** As `openRtnetlink`, for tc alone. */
export function openTrafficControl(namespace?: Fd): TrafficControl {
  return new KernelTrafficControl(namespace);
}

export class KernelTrafficControl implements TrafficControl {
  protected readonly socket: RouteSocket;

  constructor(namespace: Fd | undefined) {
    this.socket = new RouteSocket(namespace);
  }

  ingressLinks(): readonly number[] {
    return this.socket.dump(RTM_QDISC.GET, qdiscHeader()).flatMap((body) => parseIngress(body) ?? []);
  }

  addIngress(link: number): void {
    this.socket.change(RTM_QDISC.NEW, NLM_F.CREATE | NLM_F.EXCL, ingressChange(link));
  }

  deleteIngress(link: number): void {
    this.socket.change(RTM_QDISC.DELETE, 0, ingressChange(link));
  }

  redirect(from: number, to: number, mark: string): void {
    this.socket.change(RTM_FILTER.NEW, NLM_F.CREATE | NLM_F.EXCL, redirectChange(from, to, mark));
  }

  filterMarks(link: number): readonly string[] {
    return this.socket.dump(RTM_FILTER.GET, filterHeader(link)).map(parseMark);
  }

  [Symbol.dispose](): void {
    this.socket[Symbol.dispose]();
  }
}
