// The report in a real browser: both colour schemes, the keyboard, no request to anywhere. Skips where there is no Chromium.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import test from 'ava';
import type { ExecutionContext } from 'ava';
import { WebSocket } from 'ws';
import { judge } from './judge.ts';
import type { Cell } from './model.ts';
import { htmlReport } from './report-html.ts';
import { report } from './run.ts';

const CHROMIUM = '/usr/bin/chromium';
const inBrowser = existsSync(CHROMIUM) ? test : test.skip; // apt-get install chromium

/** The few calls of the DevTools protocol that a page needs to be looked at. */
class Page {
  readonly #socket: WebSocket;
  readonly #session: string;
  readonly #waiting = new Map<number, (result: unknown) => void>();
  readonly requests: string[] = [];
  #id = 0;

  private constructor(socket: WebSocket, session: string) {
    this.#socket = socket;
    this.#session = session;
  }

  static async open(t: ExecutionContext, html: string): Promise<Page> {
    const folder = mkdtempSync(join(tmpdir(), 'matrix-browser-'));
    const file = join(folder, 'report.html');
    writeFileSync(file, html);
    const browser = spawn(CHROMIUM, ['--headless=new', '--no-sandbox', '--disable-gpu', '--remote-debugging-port=0', `--user-data-dir=${folder}/profile`, 'about:blank'], { stdio: ['ignore', 'ignore', 'pipe'] });
    t.teardown(async () => {
      browser.kill('SIGKILL');
      await once(browser, 'close');
      rmSync(folder, { recursive: true, force: true, maxRetries: 5, retryDelay: 100 });
    });
    let url: string | undefined;
    for await (const line of createInterface({ input: browser.stderr })) {
      url = /DevTools listening on (ws:\S+)/.exec(line)?.[1];
      if (url !== undefined) break;
    }
    const socket = new WebSocket(url ?? '');
    t.teardown(() => { socket.close(); });
    await once(socket, 'open');
    const root = new Page(socket, '');
    root.#listen();
    const { targetId } = await root.send('Target.createTarget', { url: 'about:blank' }) as { targetId: string };
    const { sessionId } = await root.send('Target.attachToTarget', { targetId, flatten: true }) as { sessionId: string };
    socket.removeAllListeners('message');
    const page = new Page(socket, sessionId);
    page.#id = 1000;
    page.#listen();
    await page.send('Network.enable');
    await page.send('Page.enable');
    await page.send('Page.navigate', { url: `file://${file}` });
    const deadline = performance.now() + 30_000;
    while (await page.evaluate('document.readyState + document.querySelectorAll("button[data-cell]").length') !== 'complete3') {
      if (performance.now() > deadline) throw new Error('the page did not load within 30 s');
    }
    return page;
  }

  async send(method: string, params: object = {}): Promise<unknown> {
    const id = ++this.#id;
    const { promise, resolve } = Promise.withResolvers<unknown>();
    this.#waiting.set(id, resolve);
    this.#socket.send(JSON.stringify({ id, method, params, ...(this.#session === '' ? {} : { sessionId: this.#session }) }));
    return promise;
  }

  async evaluate(expression: string): Promise<unknown> {
    const { result } = await this.send('Runtime.evaluate', { expression }) as { result: { value?: unknown } };
    return result.value;
  }

  async press(key: string, code = key): Promise<void> {
    const keyCode = { Enter: 13, Escape: 27, ArrowRight: 39, Tab: 9 }[key] ?? 0;
    const event = { key, code, windowsVirtualKeyCode: keyCode, ...(key === 'Enter' ? { text: '\r' } : {}) };
    await this.send('Input.dispatchKeyEvent', { type: 'keyDown', ...event });
    await this.send('Input.dispatchKeyEvent', { type: 'keyUp', ...event });
  }

  #listen(): void {
    this.#socket.on('message', (data: Buffer) => {
      const message = JSON.parse(data.toString('utf8')) as { id?: number; result?: unknown; method?: string; params?: { request?: { url?: string } } };
      if (message.id !== undefined) this.#waiting.get(message.id)?.(message.result);
      if (message.method === 'Network.requestWillBeSent') this.requests.push(message.params?.request?.url ?? '');
    });
  }
}

const cell: Cell = {
  id: 'a', place: { kind: 'outside' }, path: 'pod to pod', locality: 'same node', protocol: 'TCP', family: 'IPv4', to: 'pod <b>x</b>', host: '10.0.0.1', port: 80, expected: 'ok', attempts: 1,
};
const ok = { id: '1', ok: true, refused: false, timeout: false, ms: 1 };
const html = htmlReport(report([judge(cell, [ok]), { ...judge(cell, [{ ...ok, ok: false, timeout: true }]), trace: 'DROPPED at node1' }, judge({ ...cell, skip: 'why not' }, [])]));

inBrowser('the report works by keyboard, fetches nothing, and follows the colour scheme', async (t) => {
  const page = await Page.open(t, html);
  await page.press('Tab');
  t.is(await page.evaluate('document.activeElement.dataset.cell'), '0');
  await page.press('ArrowRight');
  t.is(await page.evaluate('document.activeElement.dataset.cell'), '1');
  t.is(await page.evaluate('document.querySelector("dialog").open'), false);
  await page.press('Enter');
  t.is(await page.evaluate('document.querySelector("dialog").open'), true);
  const text = String(await page.evaluate('document.querySelector("dialog dl").textContent'));
  t.true(text.includes('DROPPED at node1') && text.includes('pod <b>x</b>'), text);
  await page.press('Escape');
  t.is(await page.evaluate('document.querySelector("dialog").open'), false);
  const background = async (value: string): Promise<unknown> => {
    await page.send('Emulation.setEmulatedMedia', { features: [{ name: 'prefers-color-scheme', value }] });
    return page.evaluate('getComputedStyle(document.documentElement).getPropertyValue("--ok") && getComputedStyle(document.querySelector(".ok")).color');
  };
  t.not(await background('dark'), await background('light'));
  t.deepEqual(page.requests.filter((url) => !url.startsWith('file:')), []);
});
