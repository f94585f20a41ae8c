/**
 * What can be read: one entry serves the GET of the REST interface and the topic of the WebSocket.
 */
import type { TObject, TSchema } from '@sinclair/typebox';
import type { Topic } from '../api/index.js';

export type Query = Record<string, unknown>;

export interface Resource {
  topic: Topic;
  /** Below /api/v1; ':name' are parameters. */
  path: string;
  summary: string;
  /** Parameters of the path. */
  params?: TObject;
  /** Those of the query. */
  query?: TObject;
  answer: TSchema;
  /** How often watchers get it. */
  intervalMs: number;
  /** Tables of the database whose changes are told at once; '*': all. */
  tables: readonly string[];
  /** @param query parameters of path and query, checked */
  read(query: Query): Promise<unknown>;
}
