import type { ResolverAnswerRequest, ResolverListenRequest } from "@kata-containers/protocols";
import type { Context } from "@kata-containers/ttrpc";
import type { Resolver } from "../network/resolver.ts";

/** The RPCs about names. */
export const resolverMethods = (resolver: Resolver) => ({
  Listen: async ({ address }: ResolverListenRequest) => {
    resolver.listen(address);
    return {};
  },

  NextQueries: async (_: unknown, { signal }: Context) => ({ queries: [...(await resolver.next(signal))] }),

  Answer: async ({ id, message }: ResolverAnswerRequest) => {
    resolver.answer(id, message);
    return {};
  },
});
