/** When watchers are told: after answers, and with a pause after a round that took long. */
import { expect, test } from 'vitest';
import { stoppedClock } from '../../../src/common/clock.js';
import { News } from '../../../src/ovsdb/news.js';

const turn = () => new Promise((resolve) => setImmediate(resolve));

function slowWatcher(roundMs: number) {
  const clock = stoppedClock();
  const news = new News(clock);
  let told = 0;
  const watcher = {
    tellNews: () => {
      told += 1;
      clock.advance(roundMs);
    },
  };
  const crowd = Array.from({ length: 20 }, () => ({ tellNews: () => {} }));
  const tellAll = () => {
    for (const each of [watcher, ...crowd]) news.for(each);
  };
  return { news, watcher, tellAll, told: () => told };
}

test('a watcher is told once for all that one turn brings', async () => {
  const { news, watcher, told } = slowWatcher(0);
  for (let i = 0; i < 5; i++) news.for(watcher);
  expect(told()).toBe(0);
  await turn();
  expect(told()).toBe(1);
  news.for(watcher);
  await turn();
  expect(told()).toBe(2);
});

test('after a round that took long, news add up for a while and come then', async () => {
  const { tellAll, told } = slowWatcher(1);
  tellAll();
  await turn();
  expect(told()).toBe(1);
  for (let i = 0; i < 3; i++) tellAll();
  await expect.poll(told).toBe(2);
});

test('few watchers are not kept waiting', async () => {
  const { news, watcher, told } = slowWatcher(1);
  for (let i = 1; i <= 3; i++) {
    news.for(watcher);
    await turn();
    expect(told()).toBe(i);
  }
});

test('what goes away is told of before, pause or not', async () => {
  const { news, tellAll, told } = slowWatcher(1);
  tellAll();
  await turn();
  tellAll();
  news.tellNow();
  expect(told()).toBe(2);
  await turn();
  news.tellNow();
  expect(told()).toBe(2);
});
