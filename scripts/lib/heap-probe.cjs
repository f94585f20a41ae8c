/**
 * Preloaded into a switch (`node --require`), tells what each of its threads holds: TAPSWITCH_PROBE
 * is the Unix socket. Each connection sends a line and gets one of JSON.
 *
 *     "collect\n"         collects all garbage, then what is left: [{thread, heapUsed, external, ...}]
 *     "snapshot PATH\n"   writes what the main thread's heap holds, for a browser's tools
 *
 * Not for: a switch in use. Collecting everything stops a thread for tens of milliseconds.
 */
'use strict';
const { Session } = require('node:inspector');
const { createServer } = require('node:net');
const { isMainThread } = require('node:worker_threads');
const { writeHeapSnapshot } = require('node:v8');

const USAGE = { expression: 'process.memoryUsage()', returnByValue: true };
/** A worker that waits for packets answers once there is one. */
const WORKER_TIMEOUT_MS = 5000;

/** Collects garbage on the main thread. @returns what it holds, bytes */
function collectMain(session) {
  return new Promise((resolve) => {
    session.post('HeapProfiler.collectGarbage', () =>
      resolve({ thread: 'main', ...process.memoryUsage() }),
    );
  });
}

/** The same in each worker, by way of messages to its inspector. */
function collectWorkers(session) {
  return new Promise((resolve) => {
    const results = [];
    let waiting = 0;
    const done = () => {
      clearTimeout(timer);
      session.post('NodeWorker.disable', () => resolve(results));
    };
    const timer = setTimeout(done, WORKER_TIMEOUT_MS);
    session.on('NodeWorker.attachedToWorker', ({ params }) => {
      waiting += 1;
      const { sessionId } = params;
      const send = (message) =>
        session.post('NodeWorker.sendMessageToWorker', {
          sessionId,
          message: JSON.stringify(message),
        });
      send({ id: 1, method: 'HeapProfiler.collectGarbage' });
      send({ id: 2, method: 'Runtime.evaluate', params: USAGE });
    });
    session.on('NodeWorker.receivedMessageFromWorker', ({ params }) => {
      const { id, result } = JSON.parse(params.message);
      if (id !== 2) return;
      results.push({ thread: `worker ${params.sessionId}`, ...result.result.value });
      waiting -= 1;
      if (waiting === 0) done();
    });
    session.post('NodeWorker.enable', { waitForDebuggerOnStart: false });
  });
}

async function collect() {
  const session = new Session();
  session.connect();
  try {
    const workers = await collectWorkers(session);
    return [await collectMain(session), ...workers];
  } finally {
    session.disconnect();
  }
}

if (isMainThread && process.env.TAPSWITCH_PROBE) {
  const server = createServer((connection) => {
    connection.on('error', () => undefined);
    connection.once('data', (data) => {
      const [verb, path] = data.toString().trim().split(' ');
      const answer = verb === 'snapshot' ? writeHeapSnapshot(path) : collect();
      Promise.resolve(answer).then((value) => connection.end(`${JSON.stringify(value)}\n`));
    });
  });
  server.listen(process.env.TAPSWITCH_PROBE).unref();
  // What the switch starts (its console's server) is not probed.
  delete process.env.TAPSWITCH_PROBE;
}
