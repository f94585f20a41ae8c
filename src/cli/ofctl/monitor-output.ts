/**
 * What `monitor` and `snoop` print of what arrives, and where to.
 * Not for: the connection (monitor-commands.ts) or its control socket (monitor-control.ts).
 */
import { formatMessage } from '../../openflow/syntax/message-format.js';
import { type Names, NO_NAMES } from '../../openflow/syntax/names.js';
import type { Session } from './session.js';

/** What is printed, and whether it is time to. */
export class MonitorOutput {
  /** Set-up is done: frames from now on are shown. */
  printing = false;
  /** Takes the text; standard error until a file is named. */
  write: (text: string) => void;
  names: Names = NO_NAMES;
  /** Told of each frame shown. */
  onShown: (frame: Uint8Array) => void = () => {};

  constructor(readonly session: Session) {
    this.write = (text) => void session.io.stderr.write(text);
  }

  show(frame: Uint8Array): void {
    if (!this.printing) return;
    const { options } = this.session;
    const when = options.timestamp ? `${timestamp(new Date())}: ` : '';
    this.write(when + formatMessage(frame, this.names, options.verbosity + 2));
    this.onShown(frame);
  }
}

/** `2024-01-31 12:34:56.789` */
function timestamp(now: Date): string {
  return now.toISOString().replace('T', ' ').replace('Z', '');
}
