/**
 * Which entries of a bridge's tables are seen while a bundle is being committed.
 *
 *                     before, between turns      in the bundle's turns, and once it is in force
 *     settled         seen                       seen
 *     COMING          -                          seen
 *     GOING           seen                       -
 *
 * A commit changes no entry that packets meet: it adds some that nobody sees yet and marks others,
 * over as many turns of the main loop as it takes. One assignment then shows all of it at once.
 *
 * Not for: who marks what, and clearing up afterwards (table-draft.ts).
 */

/** Marks of entries; most have none. */
export const SETTLED = 0;
export const COMING = 1;
export const GOING = 2;
export type Mark = typeof SETTLED | typeof COMING | typeof GOING;

/** What all tables of a bridge show. */
export class TableView {
  /** Entries with this mark are seen, those with the other are not. */
  shows: typeof COMING | typeof GOING = GOING;
}
