/** The schema that the OVSDB tests share, as JSON. */
import type { JsonValue } from '../../../src/common/json.js';

/** Rooms own doors (strongly), signs and plates point at doors (weakly); all kinds of columns. */
export const HOUSE = {
  name: 'House',
  version: '1.0.0',
  tables: {
    Room: {
      isRoot: true,
      indexes: [['name']],
      columns: {
        name: { type: 'string', mutable: false },
        doors: { type: { key: { type: 'uuid', refTable: 'Door' }, min: 0, max: 'unlimited' } },
        by_number: {
          type: {
            key: 'integer',
            value: { type: 'uuid', refTable: 'Door' },
            min: 0,
            max: 'unlimited',
          },
        },
        area: { type: { key: { type: 'integer', minInteger: 0, maxInteger: 100 } } },
        height: { type: 'real' },
        tags: { type: { key: 'string', min: 0, max: 3 } },
        options: { type: { key: 'string', value: 'string', min: 0, max: 'unlimited' } },
        heated: { type: 'boolean' },
        floor: { type: { key: 'integer', min: 0, max: 1 } },
        visitors: { type: 'integer', ephemeral: true },
      },
    },
    Door: {
      columns: {
        colour: { type: { key: { type: 'string', enum: ['set', ['red', 'green']] }, min: 0 } },
        lock: { type: { key: { type: 'uuid', refTable: 'Lock' }, min: 0, max: 1 } },
      },
    },
    Lock: { columns: { code: { type: { key: { type: 'string', maxLength: 4 } } } } },
    Sign: {
      isRoot: true,
      columns: {
        to: {
          type: {
            key: { type: 'uuid', refTable: 'Door', refType: 'weak' },
            min: 0,
            max: 'unlimited',
          },
        },
      },
    },
    /** A sign that must point somewhere. */
    Plate: {
      isRoot: true,
      columns: {
        must: {
          type: {
            key: { type: 'uuid', refTable: 'Door', refType: 'weak' },
            min: 1,
            max: 'unlimited',
          },
        },
      },
    },
    Cellar: { isRoot: true, maxRows: 1, columns: { depth: { type: 'integer' } } },
  },
} as unknown as { name: string; [key: string]: JsonValue };
