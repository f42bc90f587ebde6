import type { Init, Method } from "@kata-containers/protocols";
import { Bulk, type BulkData } from "./bulk.ts";
import type { Context } from "./context.ts";

export type UnaryHandler<Req, Res> = (
  request: Req,
  context: Context,
) => Init<Res> | Bulk | Promise<Init<Res> | Bulk>;

export type BulkHandler<Req, Res> = (
  request: Req,
  data: BulkData,
  context: Context,
) => Init<Res> | Promise<Init<Res>>;

/** What a handler answered, encoded. */
export type Answer = Uint8Array | Bulk;

export interface Handler {
  /** Number of the request's field that goes to a block. */
  readonly bulkField: number | undefined;
  run(payload: Uint8Array, data: BulkData | undefined, context: Context): Promise<Answer>;
}

/** The methods that a server answers. */
export class Handlers {
  private readonly table = new Map<string, Handler>();

  /**
   * Answers `method`. What the handler throws becomes the status (KataError.from). It may return `bulk(…)` for a
   * message of one field that is in a block.
   */
  unary<Req extends object, Res extends object>(
    method: Method<Req, Res>,
    handle: UnaryHandler<NoInfer<Req>, NoInfer<Res>>,
  ): this {
    return this.add(method, {
      bulkField: undefined,
      run: async (payload, _data, context) => {
        const answer = await handle(method.request.decode(payload), context);
        return answer instanceof Bulk ? answer : method.response.encode(answer);
      },
    });
  }

  /**
   * Answers `method`, whose request has a bytes field (by its number) that does not enter JavaScript: the handler gets
   * it as BulkData, to write to a descriptor or to free; it is freed when the handler ends.
   */
  bulkRequest<Req extends object, Res extends object>(
    method: Method<Req, Res>,
    field: number,
    handle: BulkHandler<NoInfer<Req>, NoInfer<Res>>,
  ): this {
    return this.add(method, {
      bulkField: field,
      run: async (payload, data, context) => {
        if (!data) {
          throw new Error("a bulk handler without its data");
        }
        try {
          return method.response.encode(await handle(method.request.decode(payload), data, context));
        } finally {
          data.free();
        }
      },
    });
  }

  get(service: string, method: string): Handler | undefined {
    return this.table.get(`${service}/${method}`);
  }

  private add(method: { service: string; method: string }, handler: Handler): this {
    const name = `${method.service}/${method.method}`;
    if (this.table.has(name)) {
      throw new Error(`two handlers of ${name}`);
    }
    this.table.set(name, handler);
    return this;
  }
}
