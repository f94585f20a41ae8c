/**
 * Pieces that several answers of the console's API are made of.
 *
 * Each schema is a value (TypeBox: what the server checks and describes in OpenAPI) and a type of
 * the same name (what a client is written against). A page needs the types only: `import type`.
 */
import { type Static, type TSchema, Type } from '@sinclair/typebox';

/** Every error: an HTTP status other than 2xx comes with this. */
export const ApiError = Type.Object({
  /** Stable: E_WEB_TOKEN, E_WEB_NOT_FOUND... (docs/errors.md). */
  code: Type.String(),
  message: Type.String(),
  hint: Type.Optional(Type.String()),
});
export type ApiError = Static<typeof ApiError>;

/** A value, or null where it is not known. */
export const Nullable = <T extends TSchema>(schema: T) => Type.Union([schema, Type.Null()]);

/** The values of `T` by name. */
export const MapOf = <T extends TSchema>(schema: T) => Type.Record(Type.String(), schema);

/** A text out of a few. */
export const OneOf = <T extends string>(...values: T[]) =>
  Type.Unsafe<T>(Type.Union(values.map((value) => Type.Literal(value))));

/** What one page of a long list was cut from. */
export const PageInfo = {
  /** Rows that there are. */
  total: Type.Integer(),
  /** Rows that the filter lets through. */
  matching: Type.Integer(),
  offset: Type.Integer(),
  /** When the rows were read, milliseconds since 1970; they are read again in the background. */
  sampledAt: Type.Number(),
  /** How long it took to read them all, milliseconds. */
  readMs: Type.Number(),
};

/** The query of a long list. `filter` is free text, `sort` a column of its rows. */
export const PageQuery = Type.Object({
  filter: Type.Optional(Type.String({ maxLength: 500 })),
  sort: Type.Optional(Type.String({ maxLength: 40 })),
  desc: Type.Optional(Type.Boolean()),
  offset: Type.Optional(Type.Integer({ minimum: 0, maximum: 100_000_000 })),
  limit: Type.Optional(Type.Integer({ minimum: 1, maximum: 1000 })),
});
export type PageQuery = Static<typeof PageQuery>;

/** Equally spaced samples, the newest last; `null` where none was taken. */
export const History = Type.Object({
  /** Milliseconds since 1970 of the newest. */
  at: Type.Number(),
  /** Milliseconds between two. */
  stepMs: Type.Number(),
  series: MapOf(Type.Array(Nullable(Type.Number()))),
});
export type History = Static<typeof History>;
