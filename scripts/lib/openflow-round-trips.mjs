/**
 * A controller that does nothing but answer: each packet-in is followed by a packet-out to the
 * controller again, which is the next packet-in.
 *
 *     node openflow-round-trips.mjs SOCKET COUNT WINDOW      # prints round trips per second
 *
 * WINDOW is how many packets are on the way at a time. Used by bench-openflow.mjs.
 */
import { once } from 'node:events';
import { connect } from 'node:net';
import { OFP_VERSION, OfConnection } from '../../dist/openflow/index.js';

const [path, countText, windowText] = process.argv.slice(2);
const count = Number(countText);
const NO_BUFFER = 0xffffffff;
const TO_CONTROLLER = { type: 'output', port: 0xfffffffd, maxLen: 0xffff };
const frame = new Uint8Array(60);
frame.set([0x50, 0x54, 0, 0, 0, 1, 0x50, 0x54, 0, 0, 0, 2, 0x08, 0x00, 0x45]);

const socket = connect({ path });
await once(socket, 'connect');
let sent = 0;
let received = 0;
let done;
const finished = new Promise((resolve) => {
  done = resolve;
});
const connection = new OfConnection(socket, {
  versions: [OFP_VERSION.OF13],
  onMessage(msg) {
    if (msg.type !== 'packet_in') return;
    received++;
    if (sent < count) send(msg.data);
    else if (received === count) done();
  },
});

function send(data) {
  sent++;
  const out = {
    type: 'packet_out',
    bufferId: NO_BUFFER,
    inPort: 1,
    actions: [TO_CONTROLLER],
    data,
  };
  connection.send(out);
}

await connection.whenOpen();
// A service connection is told of packets only once it asks for them.
connection.send({ type: 'set_config', fragHandling: 0, missSendLen: 0xffff });
const start = process.hrtime.bigint();
for (let i = 0; i < Number(windowText); i++) send(frame);
await finished;
console.log(count / (Number(process.hrtime.bigint() - start) / 1e9));
connection.close();
