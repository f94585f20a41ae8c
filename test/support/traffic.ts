/** TCP and UDP between two namespaces, with what arrived checked and counted at the far end. */
import { eventually } from './command.js';
import type { Namespace } from './netns.js';
import { python } from './switch.js';

const TRANSFER_RECEIVER = `
import hashlib, socket, sys
server = socket.create_server(("::", 9000), family=socket.AF_INET6, dualstack_ipv6=True)
print("listening", flush=True)
peer, _ = server.accept()
digest, count = hashlib.sha256(), 0
while True:
    data = peer.recv(1 << 20)
    if not data:
        break
    digest.update(data)
    count += len(data)
print(count, digest.hexdigest())
`;

const TRANSFER_SENDER = `
import hashlib, os, socket, sys
peer = socket.create_connection((sys.argv[1], 9000), timeout=5)
peer.settimeout(20)
data = os.urandom(1 << 20)
digest = hashlib.sha256()
for _ in range(int(sys.argv[2])):
    peer.sendall(data)
    digest.update(data)
peer.close()
print(digest.hexdigest())
`;

/** Where a stream ends: the namespace, the address, and the interface whose counters tell how large
 * the frames were that came in. */
export interface Receiver {
  namespace: Namespace;
  device: string;
  address: string;
}

export interface Transfer {
  bytes: number;
  /** Mean size of what came in through the receiver's interface: far above the MTU when segments
   * were handed on whole. */
  meanFrameBytes: number;
}

/** Sends random bytes over TCP and compares their digest at the far end; throws when it differs. */
export async function transferIntact(
  client: Namespace,
  { namespace, device, address }: Receiver,
  mebibytes = 32,
): Promise<Transfer> {
  const receiver = namespace.start([python, '-c', TRANSFER_RECEIVER]);
  try {
    await eventually('the receiver to listen', () => receiver.text.includes('listening'), 5000);
    const before = await received(namespace, device);
    const argv = [python, '-c', TRANSFER_SENDER, address, `${mebibytes}`];
    const sent = (await client.must(argv, { timeoutMs: 40_000 })).trim();
    await receiver.finished(10_000);
    const [count, digest] = receiver.output.stdout.trim().split('\n').at(-1)!.split(' ');
    if (digest !== sent) throw new Error(`${count} bytes arrived, not those that were sent`);
    const after = await received(namespace, device);
    const frames = after.packets - before.packets;
    return { bytes: Number(count), meanFrameBytes: (after.bytes - before.bytes) / frames };
  } finally {
    await receiver.stop('SIGKILL');
  }
}

async function received(namespace: Namespace, device: string) {
  const [link] = JSON.parse(await namespace.ip('-s', '-j', 'link', 'show', 'dev', device));
  return link.stats64.rx as { bytes: number; packets: number };
}

const UDP_RECEIVER = `
import hashlib, socket, sys
family = socket.AF_INET6 if ":" in sys.argv[1] else socket.AF_INET
sock = socket.socket(family, socket.SOCK_DGRAM)
sock.bind((sys.argv[1], 9001))
sock.settimeout(10)
print("listening", flush=True)
good = 0
try:
    while good < int(sys.argv[2]):
        data, sender = sock.recvfrom(70000)
        good += hashlib.sha256(data[32:]).digest() == data[:32]
        sock.sendto(b"got it", sender)
except TimeoutError:
    pass
print(good)
`;

const UDP_SENDER = `
import hashlib, os, socket, sys
family = socket.AF_INET6 if ":" in sys.argv[1] else socket.AF_INET
sock = socket.socket(family, socket.SOCK_DGRAM)
sock.settimeout(3)
for _ in range(int(sys.argv[2])):
    data = os.urandom(int(sys.argv[3]) - 32)
    sock.sendto(hashlib.sha256(data).digest() + data, (sys.argv[1], 9001))
    try:
        sock.recv(100)
    except TimeoutError:
        pass
`;

/**
 * Sends UDP datagrams of `bytes` (fragments, when larger than the MTU), the next one when the last
 * has arrived: however slow the machine is, no queue overflows.
 * @returns how many arrived whole and unchanged
 */
export async function datagramsIntact(
  client: Namespace,
  server: Namespace,
  address: string,
  count: number,
  bytes: number,
): Promise<number> {
  const receiver = server.start([python, '-c', UDP_RECEIVER, address, `${count}`]);
  try {
    await eventually('the receiver to listen', () => receiver.text.includes('listening'), 5000);
    await client.must([python, '-c', UDP_SENDER, address, `${count}`, `${bytes}`]);
    await receiver.finished(10_000);
    return Number(receiver.output.stdout.trim().split('\n').at(-1));
  } finally {
    await receiver.stop('SIGKILL');
  }
}
