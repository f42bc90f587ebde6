import { attribute, concat, nested, Reply, textAttribute, u32 } from "./message.ts";
import type { Change } from "./route-socket.ts";

export const RTM_QDISC = { NEW: 36, DELETE: 37, GET: 38 } as const;
export const RTM_FILTER = { NEW: 44, DELETE: 45, GET: 46 } as const;
/** tcmsg: family u8, pads, ifindex i32, handle u32, parent u32, info u32. */
const TCMSG = 20;
const TCA = { KIND: 1, OPTIONS: 2 } as const;

/** tc-ingress's place of its own, TC_H_INGRESS, and its handle "ffff:". */
const INGRESS_PARENT = 0xfffffff1;
const INGRESS_HANDLE = 0xffff0000;
/** What an ingress qdisc's filters stand below: the same as its handle. */
const FILTER_PARENT = INGRESS_HANDLE;
/** Qdiscs that take frames as they come in. */
const INGRESS_KINDS = ["ingress", "clsact"];

/** ETH_P_ALL in network order, the lower half of a filter's info. */
const PROTOCOL_ALL = 0x0300;
const TCA_U32 = { SEL: 5, ACT: 7 } as const;
/** Of a list of actions. */
const FIRST = 1;
const TCA_ACT = { KIND: 1, OPTIONS: 2, COOKIE: 6 } as const;
/** Before all others. */
const PREFERENCE = 1;
const TCA_MIRRED_PARMS = 2;
const TC_ACT_STOLEN = 4;
const TCA_EGRESS_REDIR = 1;
const TC_U32_TERMINAL = 1;

function tcHeader(link: number, handle: number, parent: number, info = 0): Uint8Array {
  const header = new Uint8Array(TCMSG);
  const view = new DataView(header.buffer);
  view.setInt32(4, link, true);
  view.setUint32(8, handle, true);
  view.setUint32(12, parent, true);
  view.setUint32(16, info, true);
  return header;
}

/** The fixed part of a dump of all qdiscs. */
export const qdiscHeader = (): Uint8Array => tcHeader(0, 0, 0);

/** The link whose incoming frames the qdisc takes; undefined for every other qdisc. */
export function parseIngress(body: Uint8Array): number | undefined {
  const reply = new Reply("qdisc", body, TCMSG);
  return INGRESS_KINDS.includes(reply.text(TCA.KIND)) ? reply.u32(4) : undefined;
}

/** Of a message that adds or deletes a link's ingress qdisc. */
export function ingressChange(link: number): Change {
  return {
    fixed: tcHeader(link, INGRESS_HANDLE, INGRESS_PARENT),
    attributes: [textAttribute(TCA.KIND, "ingress")],
  };
}

/** The fixed part of a dump of the filters of a link's ingress qdisc. */
export const filterHeader = (link: number): Uint8Array => tcHeader(link, 0, FILTER_PARENT);

/** The mark of a redirection, in hexadecimal; "" for a filter that is none, or has none. */
export function parseMark(body: Uint8Array): string {
  const options = new Reply("filter", body, TCMSG).nested(TCA.OPTIONS);
  const cookie = options?.nested(TCA_U32.ACT)?.nested(FIRST)?.bytes(TCA_ACT.COOKIE);
  return Array.from(cookie ?? [], (byte) => byte.toString(16).padStart(2, "0")).join("");
}

/**
 * Of a message that adds a filter to a link's ingress qdisc: every frame that comes in goes out of another link. A u32 filter that
 * compares nothing: there on every kernel that has filters, which matchall is not.
 * @param mark up to 16 bytes in hexadecimal, which the kernel keeps
 */
export function redirectChange(from: number, to: number, mark: string): Change {
  const action = nested(FIRST, [
    textAttribute(TCA_ACT.KIND, "mirred"),
    attribute(
      TCA_ACT.COOKIE,
      Uint8Array.from(mark.match(/../g) ?? [], (pair) => Number.parseInt(pair, 16)),
    ),
    nested(TCA_ACT.OPTIONS, [mirred(to)]),
  ]);
  return {
    fixed: tcHeader(from, 0, FILTER_PARENT, PREFERENCE * 0x10000 + PROTOCOL_ALL),
    attributes: [
      textAttribute(TCA.KIND, "u32"),
      nested(TCA.OPTIONS, [attribute(TCA_U32.SEL, everyFrame()), nested(TCA_U32.ACT, [action])]),
    ],
  };
}

/** tc_mirred: index u32, capab u32, action i32, refcnt i32, bindcnt i32, eaction i32, ifindex u32. */
function mirred(to: number): Uint8Array {
  const parms = [0, 0, TC_ACT_STOLEN, 0, 0, TCA_EGRESS_REDIR, to];
  return attribute(TCA_MIRRED_PARMS, concat(parms.map(u32)));
}

/** tc_u32_sel (flags u8, offshift u8, nkeys u8, pad, offmask u16, off u16, offoff i16, hoff i16, hmask u32) and one key of zeroes. */
function everyFrame(): Uint8Array {
  const selector = new Uint8Array(16 + 16);
  selector.set([TC_U32_TERMINAL, 0, 1]);
  return selector;
}
