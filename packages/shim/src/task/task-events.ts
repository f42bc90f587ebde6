import {
  type Any,
  type Codec,
  type Init,
  TaskCheckpointed,
  TaskCreate,
  TaskDelete,
  TaskExecAdded,
  TaskExecStarted,
  TaskExit,
  TaskOOM,
  TaskPaused,
  TaskResumed,
  TaskStart,
  type Timestamp,
} from "@kata-containers/protocols";
import { anyOf } from "./any.ts";
import { timestampOf } from "./timestamp.ts";

/** What a shim tells containerd, by topic (containerd, docs/runtime-v2.md, "Events"). */
export type TaskEvents = {
  "/tasks/create": TaskCreate;
  "/tasks/start": TaskStart;
  "/tasks/oom": TaskOOM;
  "/tasks/exit": TaskExit;
  "/tasks/delete": TaskDelete;
  "/tasks/exec-added": TaskExecAdded;
  "/tasks/exec-started": TaskExecStarted;
  "/tasks/paused": TaskPaused;
  "/tasks/resumed": TaskResumed;
  "/tasks/checkpointed": TaskCheckpointed;
};
export type Topic = keyof TaskEvents;

const CODECS: { readonly [T in Topic]: Codec<TaskEvents[T]> } = {
  "/tasks/create": TaskCreate,
  "/tasks/start": TaskStart,
  "/tasks/oom": TaskOOM,
  "/tasks/exit": TaskExit,
  "/tasks/delete": TaskDelete,
  "/tasks/exec-added": TaskExecAdded,
  "/tasks/exec-started": TaskExecStarted,
  "/tasks/paused": TaskPaused,
  "/tasks/resumed": TaskResumed,
  "/tasks/checkpointed": TaskCheckpointed,
};

/** containerd.types.Envelope with all its fields: an event on its way. */
export type EventEnvelope = {
  readonly timestamp: Timestamp;
  readonly namespace: string;
  readonly topic: Topic;
  readonly event: Any;
};

/** @param atMs when it happened, since the epoch @throws KataError InvalidArgument when a number does not fit its field */
export function envelopeOf<T extends Topic>(
  topic: T,
  event: Init<TaskEvents[T]>,
  namespace: string,
  atMs: number,
): EventEnvelope {
  const codec: Codec<TaskEvents[T]> = CODECS[topic];
  return { timestamp: timestampOf(atMs), namespace, topic, event: anyOf(codec, event) };
}

/** The id of the container that the event is about. */
export function containerOf({ topic, event }: EventEnvelope): string {
  return CODECS[topic].decode(event.value).containerId;
}
