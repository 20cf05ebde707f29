// A headless Chromium for one page at a time, driven by its DevTools protocol: run a script in the page, press a key.
import { spawn } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { WebSocket } from 'ws';
import { eventually } from './poll.ts';

const program = ['/usr/bin/chromium', '/usr/bin/chromium-browser', '/usr/bin/google-chrome'].find((path) => existsSync(path));

/** Why a page cannot be opened here, or undefined when it can. */
export const noBrowser: string | undefined = program === undefined ? 'no Chromium is installed (Debian: apt-get install chromium)' : undefined;

interface Answer {
  readonly id?: number;
  readonly method?: string;
  readonly params?: Readonly<Record<string, unknown>>;
  readonly result?: Readonly<Record<string, unknown>>;
  readonly error?: { readonly message: string };
}

export class Page implements AsyncDisposable {
  /** Addresses that the page asked for, and what its scripts threw. */
  readonly requests: string[] = [];
  readonly errors: string[] = [];
  readonly #socket: WebSocket;
  readonly #close: () => Promise<void>;
  readonly #waiting = new Map<number, (answer: Answer) => void>();
  #lastId = 0;

  private constructor(socket: WebSocket, close: () => Promise<void>) {
    this.#socket = socket;
    this.#close = close;
    socket.on('message', (data: Buffer) => this.#hear(JSON.parse(data.toString('utf8')) as Answer));
  }

  static async open(url: string, scheme: 'light' | 'dark' = 'light'): Promise<Page> {
    const profile = mkdtempSync(join(tmpdir(), 'podwire-browser-'));
    const child = spawn(program ?? '', ['--headless', '--no-sandbox', '--disable-gpu', '--disable-background-networking', '--no-first-run', `--user-data-dir=${profile}`, '--remote-debugging-port=0', '--window-size=1200,900', 'about:blank'], {
      stdio: ['ignore', 'ignore', 'pipe'],
      // Killed, it leaves its temporary files: in its own folder, then.
      env: { ...process.env, TMPDIR: profile },
    });
    let text = '';
    child.stderr.on('data', (chunk: Buffer) => { text += chunk.toString('utf8'); });
    const ended = new Promise((resolve) => { child.once('close', resolve); });
    const close = async (): Promise<void> => {
      child.kill('SIGKILL');
      await ended;
      rmSync(profile, { recursive: true, force: true, maxRetries: 5 });
    };
    try {
      const port = await eventually('Chromium listens', () => /DevTools listening on ws:\/\/127\.0\.0\.1:(\d+)\//.exec(text)?.[1], { timeoutMs: 60_000 });
      const address = await eventually('a page', async () => ((await (await fetch(`http://127.0.0.1:${port}/json`)).json()) as { readonly type: string; readonly webSocketDebuggerUrl: string }[]).find(({ type }) => type === 'page')?.webSocketDebuggerUrl);
      const socket = new WebSocket(address);
      await new Promise((resolve, reject) => { socket.once('open', resolve).once('error', reject); });
      const page = new Page(socket, close);
      for (const domain of ['Page', 'Runtime', 'Network']) await page.#call(`${domain}.enable`);
      await page.prefer(scheme);
      await page.#call('Page.navigate', { url });
      await eventually('the page is there', async () => (await page.evaluate('document.readyState')) === 'complete' && (await page.evaluate('location.href')) !== 'about:blank');
      return page;
    } catch (error) {
      await close();
      throw error;
    }
  }

  async #call(method: string, params: Readonly<Record<string, unknown>> = {}): Promise<Readonly<Record<string, unknown>>> {
    this.#lastId += 1;
    const id = this.#lastId;
    const answer = new Promise<Answer>((resolve) => { this.#waiting.set(id, resolve); });
    this.#socket.send(JSON.stringify({ id, method, params }));
    const { result = {}, error } = await answer;
    if (error !== undefined) throw new Error(`${method}: ${error.message}`);
    return result;
  }

  #hear({ id, method, params, ...rest }: Answer): void {
    if (method === 'Network.requestWillBeSent') this.requests.push((params?.['request'] as { readonly url: string }).url);
    if (method === 'Runtime.exceptionThrown') this.errors.push(JSON.stringify(params));
    if (id === undefined) return;
    this.#waiting.get(id)?.(rest);
    this.#waiting.delete(id);
  }

  /** The value of an expression in the page. */
  async evaluate(expression: string): Promise<unknown> {
    const { result } = await this.#call('Runtime.evaluate', { expression, returnByValue: true });
    return (result as { readonly value?: unknown }).value;
  }

  /** The colour scheme that the page is told. */
  async prefer(scheme: 'light' | 'dark'): Promise<void> {
    await this.#call('Emulation.setEmulatedMedia', { features: [{ name: 'prefers-color-scheme', value: scheme }] });
  }

  /** `ArrowRight`, `Tab`, `Enter` ... */
  async press(key: string): Promise<void> {
    const codes: Readonly<Record<string, number>> = { ArrowRight: 39, ArrowLeft: 37, Home: 36, End: 35, Tab: 9, Enter: 13, Escape: 27 };
    for (const type of ['keyDown', 'keyUp']) await this.#call('Input.dispatchKeyEvent', { type, key, code: key, windowsVirtualKeyCode: codes[key] ?? 0, ...(key === 'Enter' && type === 'keyDown' ? { text: '\r' } : {}) });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#socket.close();
    await this.#close();
  }
}
