/** dpctl/tx-queue-show: which transmit queues were used, and why. */
import type { TxPortInfo, TxQueueCounters } from '../../datapath/pmd-control.js';
import { REASON_NAMES } from '../../datapath/tx-queue-info.js';
import type { OfprotoRegistry } from '../registry.js';
import type { OfprotoCommand } from './command.js';

function counters(c: TxQueueCounters): string {
  const reasons = REASON_NAMES.map((name, i) => `${name}:${c.reasons[i]}`);
  const chosen = reasons.filter((_, i) => c.reasons[i] > 0);
  return (
    `packets:${c.packets} bytes:${c.bytes} dropped:${c.dropped} queued:${c.queued} ` +
    `waiting:${c.waiting} stops:${c.stops}\n` +
    (chosen.length > 0 ? `      chosen by ${chosen.join(' ')}\n` : '')
  );
}

function portText({ port, discipline, queues, classes }: TxPortInfo): string {
  const n = new Set(queues.map(({ queue }) => queue)).size;
  let text = `  port ${port}: ${n} transmit queue${n === 1 ? '' : 's'}, ${discipline}\n`;
  for (const queue of queues) {
    const core = queue.cpu < 0 ? '' : `, core ${queue.cpu}`;
    text += `    queue ${queue.queue}${core}: ${counters(queue)}`;
  }
  for (const each of classes) text += `    class ${each.queueId}: ${counters(each)}`;
  return text;
}

export function txQueueCommands(registry: OfprotoRegistry): OfprotoCommand[] {
  return [
    {
      name: 'dpctl/tx-queue-show',
      usage: '[port]',
      minArgs: 0,
      maxArgs: 1,
      run: ([port]) => {
        let text = '';
        for (const { dpif } of registry.backers()) {
          const ports = dpif.pmds?.txPorts() ?? [];
          const chosen = ports.filter((info) => port === undefined || info.port === port);
          if (chosen.length > 0) text += `${dpif.name}:\n${chosen.map(portText).join('')}`;
        }
        return text;
      },
    },
  ];
}
