/**
 * A real browser for tests: Debian's Chromium, driven by playwright-core. Everything that it
 * complains of (errors, refused by the content security policy, failed requests) is kept.
 *
 * Not for: what an engineer sees on a page (page-checks.ts looks for what nobody sees).
 */
import { existsSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type Browser, chromium, type Page } from 'playwright-core';
import type { Lab } from './lab.js';

const EXECUTABLES = ['/usr/bin/chromium', '/usr/bin/chromium-browser', '/usr/bin/google-chrome'];

/** What a page has complained of; requests that fail while a server is down are no complaint. */
export interface WatchedPage {
  page: Page;
  complaints: string[];
}

/**
 * Starts a browser without a window, in a network namespace, and ends it with the lab.
 * @throws Error when there is none on this machine
 */
export async function startBrowser(lab: Lab): Promise<Browser> {
  const executablePath = EXECUTABLES.find(existsSync);
  if (executablePath === undefined) throw new Error('no chromium here: scripts/setup.sh test');
  const args = ['--no-sandbox', '--disable-dev-shm-usage', '--disable-gpu'];
  // Playwright starts one program: this one goes into the namespace first.
  const inside = join(lab.sw.directory, 'browser.sh');
  const command = lab.namespace.argv([executablePath]).join(' ');
  await writeFile(inside, `#!/bin/sh\nexec ${command} "$@"\n`, { mode: 0o755 });
  const browser = await chromium.launch({ executablePath: inside, args });
  lab.onClose('browser', () => browser.close());
  return browser;
}

/** Opens `url` in a window of its own, 1440 by 900. */
export async function openPage(
  browser: Browser,
  url: string,
  options: { dark?: boolean; token?: string } = {},
): Promise<WatchedPage> {
  const context = await browser.newContext({
    viewport: { width: 1440, height: 900 },
    colorScheme: options.dark ? 'dark' : 'light',
    acceptDownloads: true,
  });
  const { token } = options;
  if (token !== undefined) {
    await context.addInitScript((value) => sessionStorage.setItem('tapswitch-token', value), token);
  }
  const page = await context.newPage();
  const complaints: string[] = [];
  const origin = new URL(url).origin;
  page.on('console', (message) => {
    if (message.type() === 'error' || message.type() === 'warning') complaints.push(message.text());
  });
  page.on('pageerror', (error) => complaints.push(`${error}`));
  page.on('request', (request) => {
    const to = request.url();
    if (!to.startsWith(origin) && !to.startsWith('blob:')) complaints.push(`third party: ${to}`);
  });
  await page.addInitScript(() => {
    document.addEventListener('securitypolicyviolation', (event) => {
      console.error(`refused by the policy: ${event.violatedDirective} ${event.blockedURI}`);
    });
  });
  await page.goto(url);
  return { page, complaints };
}

/** Goes to a place inside the page. */
export async function goTo(page: Page, place: string): Promise<void> {
  await page.evaluate((hash) => {
    location.hash = hash;
  }, `#/${place}`);
}

/** Lets the browser draw, twice: once may still be the frame before. */
export async function drawn(page: Page): Promise<void> {
  await page.evaluate(
    () =>
      new Promise<void>((resolve) => {
        requestAnimationFrame(() => requestAnimationFrame(() => resolve()));
      }),
  );
}
