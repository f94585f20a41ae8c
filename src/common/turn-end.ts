/**
 * What is sent at the end of a turn of the event loop.
 *
 *     sockets are read:  request -> answer, request -> answer, ...      (composed, not yet sent)
 *     end of the turn:   1. work that comes first (news for a few) is done, and its text handed on
 *                        2. senders hand on their text, in the order in which they had some
 *                        3. work that waits (news for many) is done, and its text handed on
 *
 * Answers of a turn are written one right after the other: a peer that is woken by one is still
 * awake for the next, which makes it cheaper to send. Whoever asked goes before many who only
 * watch, and what they are told of a turn's transactions can be one message.
 *
 * Not for: anything but output; for work that is due at a time see poll-loop.ts.
 */

/** Has text to hand on. */
export interface Sender {
  flush(): void;
}

let senders: Sender[] = [];
let firstWork: (() => void)[] = [];
let waitingWork: (() => void)[] = [];
let isNear = false;
let isDue = false;
/** More than zero while a socket's bytes are dealt with. */
let receiving = 0;

/** Between these two, the turn is not over: other sockets may have something too. */
export function receptionBegins(): void {
  receiving += 1;
}

export function receptionEnds(): void {
  receiving -= 1;
}

/** Calls `sender.flush()` at the end of the turn. Ask once until then. */
export function flushAtTurnEnd(sender: Sender): void {
  senders.push(sender);
  schedule();
}

/** Calls `work`, which may send or put itself off, before this turn's answers are handed on. */
export function beforeAnswers(work: () => void): void {
  firstWork.push(work);
  schedule();
}

/** Calls `work`, which may send, once the answers of this turn have been handed on. */
export function afterAnswers(work: () => void): void {
  waitingWork.push(work);
  schedule();
}

function schedule(): void {
  if (receiving > 0) {
    if (!isDue) setImmediate(endTurn);
    isDue = true;
  } else {
    if (!isNear) process.nextTick(endTurn);
    isNear = true;
  }
}

function endTurn(): void {
  isNear = false;
  isDue = false;
  const first = firstWork;
  if (first.length > 0) {
    firstWork = [];
    for (const work of first) work();
  }
  flushSenders();
  const works = waitingWork;
  if (works.length === 0) return;
  waitingWork = [];
  for (const work of works) work();
  flushSenders();
}

function flushSenders(): void {
  const now = senders;
  senders = [];
  for (const sender of now) sender.flush();
}
