/**
 * What is said over the WebSocket /api/v1/live.
 *
 *     client: {"subscribe":[{"id":1,"topic":"ports"},
 *                           {"id":2,"topic":"flows","params":{"bridge":"br0","limit":50}}]}
 *     server: {"id":1,"topic":"ports","data":[...]}          at most once a second
 *     client: {"unsubscribe":[1]}
 *
 * A topic's data is what its GET answers. With a token, the first message is {"token":"..."}, or
 * the token is in the Authorization header of the upgrade.
 */
import { type Static, Type } from '@sinclair/typebox';
import { OneOf } from './common.js';

export const TOPICS = [
  ...(['system', 'topology', 'bridges', 'ports', 'bonds', 'controllers', 'workers'] as const),
  ...(['queues', 'drops', 'database', 'flows', 'datapath-flows', 'macs', 'groups'] as const),
  ...(['meters', 'database-table', 'logs', 'captures'] as const),
] as const;
export const Topic = OneOf(...TOPICS);
export type Topic = (typeof TOPICS)[number];

/** Parameters of topics: those of the GET's path and query. `bridge`, `table` name the path's. */
export const TopicParams = Type.Record(
  Type.String({ maxLength: 40 }),
  Type.Union([Type.String({ maxLength: 1000 }), Type.Number(), Type.Boolean()]),
);
export type TopicParams = Static<typeof TopicParams>;

export const Subscription = Type.Object({
  /** The client's own number for it; the same again replaces it. */
  id: Type.Integer({ minimum: 0, maximum: 1_000_000 }),
  topic: Topic,
  params: Type.Optional(TopicParams),
});
export type Subscription = Static<typeof Subscription>;

export const ClientMessage = Type.Object(
  {
    token: Type.Optional(Type.String({ maxLength: 1024 })),
    subscribe: Type.Optional(Type.Array(Subscription, { maxItems: 64 })),
    unsubscribe: Type.Optional(
      Type.Array(Type.Integer({ minimum: 0, maximum: 1_000_000 }), { maxItems: 64 }),
    ),
  },
  { additionalProperties: false },
);
export type ClientMessage = Static<typeof ClientMessage>;

/** An answer has `data`, or `error` where the topic cannot be read now (it is tried again). */
export interface ServerMessage {
  id: number;
  topic: Topic;
  data?: unknown;
  error?: { code: string; message: string; hint?: string };
}
