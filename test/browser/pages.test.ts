/**
 * Every page of the console in a real browser: what screen readers and keys need, contrast in both
 * themes, 100,000 flows without lag, and what the page says when what it watches goes away.
 *
 *     a: eth0 10.0.0.1 -- va [br0] bond0 { m1 == n1, m2 == n2 } bond1 [br1] vb -- b: 10.0.0.2
 */
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Browser, Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { PLACES } from '../../src/web/page/places.js';
import { drawn, goTo, openPage, startBrowser } from '../support/browser.js';
import { eventually } from '../support/command.js';
import { type Host, Lab } from '../support/lab.js';
import { pageFaults } from '../support/page-checks.js';
import type { Switch } from '../support/switch.js';
import { type ConsoleUnderTest, startConsole } from '../support/web.js';

const FLOWS = 100_000;
const PATIENCE_MS = 20_000;

let lab: Lab;
let sw: Switch;
let west: Host;
let web: ConsoleUnderTest;
let browser: Browser;

beforeAll(async () => {
  lab = await Lab.start();
  sw = lab.sw;
  west = await lab.addHost('a', { port: 'va', addresses: ['10.0.0.1/24'] });
  await lab.addHost('b', { port: 'vb', addresses: ['10.0.0.2/24'] });
  await lab.addWire('m1', 'n1');
  await lab.addWire('m2', 'n2');
  const lacp = ['bond_mode=balance-tcp', 'lacp=active'];
  await sw.vsctl('add-br', 'br0', '--', 'add-bond', 'br0', 'bond0', 'm1', 'm2', ...lacp);
  await sw.vsctl('add-br', 'br1', '--', 'add-bond', 'br1', 'bond1', 'n1', 'n2', ...lacp);
  await sw.vsctl('add-port', 'br0', 'va', '--', 'add-port', 'br1', 'vb');
  await sw.vsctl('set-controller', 'br1', 'tcp:127.0.0.1:1');
  await sw.ofctl('-O', 'OpenFlow13', 'add-meter', 'br0', 'meter=1,kbps,band=type=drop,rate=500');
  await sw.ofctl('-O', 'OpenFlow13', 'add-group', 'br0', 'group_id=1,type=all,bucket=output:va');
  web = await startConsole(sw, ['--write'], lab.namespace);
  browser = await startBrowser(lab);
  await west.ping('10.0.0.2', 3);
}, 90_000);

afterAll(() => lab?.close());

/** Waits until a page shows something of its own: no page is empty here. */
async function filled(page: Page): Promise<void> {
  const waiting = page.getByText('Reading…');
  await eventually('the page to be filled', async () => (await waiting.count()) === 0);
  await drawn(page);
}

describe('pages', () => {
  it.each(['light', 'dark'])('have names, tables and contrast (%s)', async (theme) => {
    const watched = await openPage(browser, web.url, { dark: theme === 'dark' });
    const { page } = watched;
    await page.getByText('Live', { exact: true }).waitFor({ timeout: PATIENCE_MS });
    const faults: string[] = [];
    for (const { name } of PLACES) {
      await goTo(page, name);
      await filled(page);
      const heading = await page.locator('h1').first().textContent();
      expect(heading).toBe(PLACES.find((place) => place.name === name)?.title);
      faults.push(...(await page.evaluate(pageFaults)).map((fault) => `${name}: ${fault}`));
    }
    await goTo(page, 'ports/va');
    await page.locator('dialog').waitFor();
    faults.push(...(await page.evaluate(pageFaults)).map((fault) => `port: ${fault}`));
    expect(faults).toEqual([]);
    expect(watched.complaints).toEqual([]);
    await page.context().close();
  });

  it('are reached and used by keys alone', async () => {
    const { page } = await openPage(browser, web.url);
    await page.getByText('Live', { exact: true }).waitFor({ timeout: PATIENCE_MS });
    for (const { letter, title } of PLACES) {
      await page.keyboard.press('g');
      await page.keyboard.press(letter);
      await page.getByRole('heading', { level: 1, name: title, exact: true }).waitFor();
    }
    await page.keyboard.press('g');
    await page.keyboard.press('p');
    await filled(page);
    await page.keyboard.press('/');
    await page.keyboard.type('va');
    const table = page.getByRole('grid', { name: 'Ports' });
    await page.getByRole('row', { name: /^br0/ }).waitFor({ state: 'detached' });
    await table.focus();
    await page.keyboard.press('ArrowDown');
    await page.keyboard.press('Enter');
    await page.getByRole('dialog', { name: 'Port va' }).waitFor();
    await page.keyboard.press('Escape');
    await page.getByRole('dialog').waitFor({ state: 'detached' });
    await page.keyboard.press('?');
    await page.getByRole('dialog', { name: 'Keys' }).waitFor();
    await page.keyboard.press('Escape');
    const before = await page.evaluate(() => document.documentElement.dataset.theme);
    await page.keyboard.press('t');
    expect(await page.evaluate(() => document.documentElement.dataset.theme)).not.toBe(before);
    await page.keyboard.press('Tab');
    const ring = await page.evaluate(
      () => getComputedStyle(document.activeElement as Element).outlineStyle,
    );
    expect(ring).toBe('solid');
    await page.context().close();
  });
});

describe('100,000 flows', () => {
  it('are scrolled and filtered without lag', async () => {
    const file = join(sw.directory, 'flows');
    const flow = (i: number): string =>
      `priority=${1 + (i % 50)},tcp,nw_dst=10.${(i >> 16) & 255}.${(i >> 8) & 255}.${i & 255},` +
      'tp_dst=80,actions=output:va';
    await writeFile(file, Array.from({ length: FLOWS }, (_, i) => flow(i)).join('\n'));
    await sw.ofctl('add-flows', 'br0', file);
    const { page, complaints } = await openPage(browser, web.url);
    await goTo(page, 'flows/br0');
    const shown = (count: number) =>
      page.locator(`[data-count="${count}"]`).waitFor({ timeout: 60_000 });
    await shown(FLOWS + 1);

    const frames = await page.evaluate(async () => {
      const scroller = document.querySelector('section.scroll') as HTMLElement;
      const gaps: number[] = [];
      const next = () => new Promise<number>((resolve) => requestAnimationFrame(resolve));
      let before = await next();
      for (let step = 1; step <= 60; step++) {
        scroller.scrollTop = (scroller.scrollHeight * step) / 61;
        const now = await next();
        gaps.push(now - before);
        before = now;
      }
      gaps.sort((a, b) => a - b);
      const rows = document.querySelectorAll('tbody tr').length;
      return { middle: gaps[30], worst: gaps[59], rows };
    });
    console.log(`frames while scrolling: ${frames.middle} ms, at worst ${frames.worst} ms`);
    // A screen and a little more, not a hundred thousand.
    expect(frames.rows).toBeLessThan(120);
    // A frame takes 17 ms; more than this would be seen, however busy the machine.
    expect(frames.middle).toBeLessThan(250);

    await page.evaluate(() => document.querySelector('section.scroll')?.scrollTo({ top: 1e9 }));
    await page
      .locator('tbody tr')
      .last()
      .getByText('NORMAL')
      .or(page.getByText('output'))
      .first()
      .waitFor({ timeout: PATIENCE_MS });
    await page.locator('[data-filter]').fill('10.1.134.159');
    await shown(1);
    await page.getByText('nw_dst=10.1.134.159').waitFor();
    await page.locator('[data-filter]').fill('');
    await shown(FLOWS + 1);
    await page.getByRole('button', { name: 'Priority' }).click();
    await page
      .locator('tbody tr[aria-rowindex="2"] td:nth-child(2)')
      .getByText('50', { exact: true })
      .waitFor({ timeout: PATIENCE_MS });
    expect(complaints).toEqual([]);
    await page.context().close();
    await sw.ofctl('del-flows', 'br0', 'tcp');
  }, 120_000);
});

describe('what is watched goes away', () => {
  it('the daemon: the page says so, and is live again when it is back', async () => {
    const { page, complaints } = await openPage(browser, web.url);
    await goTo(page, 'ports');
    await page.getByRole('row', { name: /^va/ }).waitFor({ timeout: PATIENCE_MS });
    await sw.stop();
    await page
      .getByRole('alert')
      .getByText(/not answer/)
      .waitFor({ timeout: PATIENCE_MS });
    await sw.start();
    await page.getByRole('alert').waitFor({ state: 'detached', timeout: PATIENCE_MS });
    await page.getByRole('row', { name: /^va.* up / }).waitFor({ timeout: PATIENCE_MS });
    expect(complaints).toEqual([]);
    await page.context().close();
  });

  it('the console: what is shown is marked as old, until it is back', async () => {
    const { page } = await openPage(browser, web.url);
    await goTo(page, 'ports');
    await page.getByRole('row', { name: /^va/ }).waitFor({ timeout: PATIENCE_MS });
    await web.process.stop();
    await page.getByText('Not live').waitFor({ timeout: PATIENCE_MS });
    await page.getByRole('alert').getByText(/old/).waitFor({ timeout: PATIENCE_MS });
    expect(await page.getByRole('row', { name: /^va/ }).count()).toBe(1);
    expect(await page.title()).toMatch(/^not live/);
    const { port } = new URL(web.url);
    web = await startConsole(sw, ['--write', `--listen=127.0.0.1:${port}`], lab.namespace);
    await page.getByText('Live', { exact: true }).waitFor({ timeout: PATIENCE_MS });
    await eventually('the title', async () => !/^not live/.test(await page.title()));
    await page.context().close();
  });
});

describe('a console that needs its token', () => {
  it('asks for it, and shows nothing before', async () => {
    const open = await startConsole(sw, ['--listen=0.0.0.0:0'], lab.namespace);
    const { port } = new URL(open.url);
    const { page } = await openPage(browser, `http://127.0.0.1:${port}/`);
    const field = page.getByRole('textbox', { name: 'Token' });
    await field.fill('not the token at all');
    await page.getByRole('button', { name: 'Use it' }).click();
    await page.getByText('That is not the token.').waitFor({ timeout: PATIENCE_MS });
    expect(await page.getByText('Busiest ports').count()).toBe(0);
    await field.fill(open.token);
    await page.getByRole('button', { name: 'Use it' }).click();
    await page.getByText('Live', { exact: true }).waitFor({ timeout: PATIENCE_MS });
    await page.getByText('Busiest ports').waitFor({ timeout: PATIENCE_MS });
    await page.context().close();
    await open.process.stop();
  });
});
