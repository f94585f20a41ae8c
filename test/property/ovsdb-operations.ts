/**
 * Random transactions on the schema that the OVSDB tests share: most make sense, all of them
 * meet each other's rows.
 */
import fc from 'fast-check';

/** UUIDs of rows: few, so that transactions meet each other's rows; each table has its own. */
const uuidsOf = (digit: number) =>
  fc.constantFrom(
    ...Array.from({ length: 5 }, (_, i) => `${digit}0000000-0000-4000-8000-00000000000${i}`),
  );
const roomId = uuidsOf(1);
const doorId = uuidsOf(2);
const lockId = uuidsOf(3);
const signId = uuidsOf(4);

const referenceTo = (id: fc.Arbitrary<string>) => id.map((text) => ['uuid', text]);
const door = referenceTo(doorId);
const setOf = (member: fc.Arbitrary<unknown>, minLength = 0, maxLength = 5) =>
  fc
    .uniqueArray(member, { selector: (value) => JSON.stringify(value), minLength, maxLength })
    .map((members) => ['set', members]);
const mapOf = (key: fc.Arbitrary<unknown>, value: fc.Arbitrary<unknown>) =>
  fc
    .uniqueArray(fc.tuple(key, value), { selector: ([first]) => first, maxLength: 4 })
    .map((pairs) => ['map', pairs]);
const name = fc.constantFrom('a', 'b', 'c', 'd', 'e');
const optionalFloor = fc.oneof(fc.integer({ min: -1, max: 2 }), fc.constant(['set', []]));

const roomRow = fc.record(
  {
    doors: setOf(door, 0, 2),
    by_number: mapOf(fc.nat(3), door),
    area: fc.nat(102),
    height: fc.constantFrom(0, 1.5, 2.25, -1),
    tags: setOf(name, 0, 3),
    options: mapOf(name, name),
    heated: fc.boolean(),
    floor: optionalFloor,
  },
  { requiredKeys: [] },
);
const doorRow = fc.record(
  { colour: fc.constantFrom('red', 'green', ['set', []]), lock: referenceTo(lockId) },
  { requiredKeys: [] },
);
const signRow = fc.record({ to: setOf(door) });
const plateRow = fc.record({ must: setOf(door, 1, 2) });

const is = (id: string) => [['_uuid', '==', ['uuid', id]]];
const comparison = fc.constantFrom('==', '!=', '<', '<=', '>', '>=', 'includes', 'excludes');
const equality = fc.constantFrom('==', '!=', 'includes', 'excludes');
const roomClause = fc.oneof(
  fc.tuple(fc.constant('area'), comparison, fc.nat(100)),
  fc.tuple(fc.constant('height'), comparison, fc.constantFrom(0, 1.5, 2)),
  fc.tuple(fc.constant('floor'), comparison, fc.integer({ min: -1, max: 2 })),
  fc.tuple(fc.constant('name'), equality, name),
  fc.tuple(fc.constant('tags'), equality, setOf(name, 0, 3)),
  fc.tuple(fc.constant('doors'), equality, setOf(door, 0, 2)),
  fc.tuple(fc.constant('options'), equality, mapOf(name, name)),
  fc.boolean(),
);
const roomWhere = fc.oneof(
  roomId.map(is),
  fc.constant([]),
  fc.array(roomClause, { minLength: 1, maxLength: 2 }),
);

const insert = (table: string, uuid: fc.Arbitrary<string>, row: fc.Arbitrary<object>) =>
  fc.record({ op: fc.constant('insert'), table: fc.constant(table), uuid, row });
const onRooms = (op: string, rest: Record<string, fc.Arbitrary<unknown>>) =>
  fc.record({ op: fc.constant(op), table: fc.constant('Room'), where: roomWhere, ...rest });

const member = fc.constantFrom('insert', 'delete');
const mutation = fc.oneof(
  fc.tuple(fc.constant('doors'), member, setOf(door, 1, 2)),
  fc.tuple(fc.constant('tags'), member, setOf(name, 1, 2)),
  fc.tuple(fc.constant('options'), member, mapOf(name, name)),
  fc.tuple(fc.constant('options'), fc.constant('delete'), setOf(name)),
  fc.tuple(fc.constant('floor'), fc.constantFrom('+=', '-=', '/=', '%='), fc.nat(2)),
  fc.tuple(fc.constant('area'), fc.constantFrom('+=', '*=', '-='), fc.nat(4)),
  fc.tuple(fc.constant('visitors'), fc.constantFrom('+=', '*='), fc.constantFrom(3, 2 ** 40)),
);

const operation: fc.Arbitrary<object> = fc.oneof(
  insert(
    'Room',
    roomId,
    fc.tuple(roomRow, name).map(([row, text]) => ({ ...row, name: text })),
  ),
  insert('Door', doorId, doorRow),
  insert('Sign', signId, signRow),
  insert('Plate', signId, plateRow),
  onRooms('update', { row: roomRow }),
  onRooms('mutate', { mutations: fc.array(mutation, { minLength: 1, maxLength: 2 }) }),
  onRooms('delete', {}),
  // Sorted by all columns: the order of rows that are alike in them is anybody's.
  onRooms('select', {
    columns: fc.constant(['_uuid', 'name']),
    sort: fc.constant(['name', '_uuid']),
  }),
  onRooms('select', {
    columns: fc.constant(['name', 'area', 'tags']),
    sort: fc.constant(['tags', 'name', 'area']),
  }),
  onRooms('wait', {
    columns: fc.constant(['name']),
    until: fc.constantFrom('==', '!='),
    rows: setOf(fc.record({ name })).map(([, rows]) => rows),
    timeout: fc.constant(0),
  }),
  fc.record({
    op: fc.constant('update'),
    table: fc.constant('Sign'),
    where: signId.map(is),
    row: signRow,
  }),
  fc.record({
    op: fc.constant('update'),
    table: fc.constant('Plate'),
    where: signId.map(is),
    row: plateRow,
  }),
  doorId.map((id) => ({ op: 'delete', table: 'Door', where: is(id) })),
);

const mutateDoors = (mutator: string, id: string, where: unknown = []) => ({
  op: 'mutate',
  table: 'Room',
  where,
  mutations: [['doors', mutator, ['uuid', id]]],
});

/** Operations that make sense together, most of the time. */
const step: fc.Arbitrary<object[]> = fc.oneof(
  fc.tuple(roomId, doorId, name).map(([uuid, id, text]) => [
    { op: 'insert', table: 'Door', uuid: id, row: {} },
    { op: 'insert', table: 'Room', uuid, row: { name: text, doors: ['uuid', id] } },
  ]),
  fc
    .tuple(doorId, lockId, roomWhere)
    .map(([uuid, lock, where]) => [
      { op: 'insert', table: 'Lock', uuid: lock, row: {} },
      { op: 'insert', table: 'Door', uuid, row: { lock: ['uuid', lock] } },
      mutateDoors('insert', uuid, where),
    ]),
  doorId.map((id) => [mutateDoors('delete', id)]),
  fc.tuple(signId, doorId).map(([uuid, id]) => [
    { op: 'insert', table: 'Sign', uuid, row: { to: ['uuid', id] } },
    { op: 'insert', table: 'Plate', uuid, row: { must: ['uuid', id] } },
  ]),
  signId.map((id) => [{ op: 'delete', table: 'Sign', where: is(id) }]),
  signId.map((id) => [{ op: 'delete', table: 'Plate', where: is(id) }]),
  roomId.map((id) => [{ op: 'delete', table: 'Room', where: is(id) }]),
  operation.map((one) => [one]),
  operation.map((one) => [one]),
);

export const transactions = fc.array(
  fc.array(step, { minLength: 1, maxLength: 2 }).map((steps) => steps.flat()),
  { minLength: 10, maxLength: 40, size: 'max' },
);
