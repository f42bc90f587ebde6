import type {
  AddARPNeighborsRequest,
  UpdateInterfaceRequest,
  UpdateRoutesRequest,
} from "@kata-containers/protocols";
import { KataError } from "@kata-containers/sys";
import type { GuestNetwork } from "../network/guest-network.ts";

/** The RPCs about the guest's network. */
export const networkMethods = (network: GuestNetwork) => ({
  UpdateInterface: async ({ interface: wanted }: UpdateInterfaceRequest) => {
    if (wanted === undefined) throw new KataError("InvalidArgument", "interface: missing");
    return await network.updateInterface(wanted);
  },

  UpdateRoutes: async ({ routes }: UpdateRoutesRequest) => {
    if (routes === undefined) throw new KataError("InvalidArgument", "routes: missing");
    return { Routes: network.updateRoutes(routes.Routes) };
  },

  ListInterfaces: async () => ({ Interfaces: network.interfaces() }),

  ListRoutes: async () => ({ Routes: network.routes() }),

  AddARPNeighbors: async ({ neighbors }: AddARPNeighborsRequest) => {
    network.addNeighbours(neighbors?.ARPNeighbors ?? []);
    return {};
  },
});
