// The one-file page of a trace in a real browser: it draws, steps by keyboard, fetches nothing, and knows both colour schemes.
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test from 'ava';
import { renderHtml, replay } from '../../lab/trace/index.ts';
import { noBrowser, Page } from '../helpers/browser.ts';

// When all tests are left out, no hook runs that would remove it.
const folder = noBrowser === undefined ? mkdtempSync(join(tmpdir(), 'podwire-html-')) : '';
test.after.always(() => { rmSync(folder, { recursive: true, force: true }); });
const browserTest = noBrowser === undefined ? test.serial : test.serial.skip;

function pageOf(name: string): { readonly url: string; readonly steps: number } {
  const trace = replay(readFileSync(new URL(`../../lab/trace/fixtures/${name}.json`, import.meta.url), 'utf8'), name);
  const file = join(folder, `${name}.html`);
  writeFileSync(file, renderHtml(trace));
  return { url: `file://${file}`, steps: trace.hops.length + trace.reply.length };
}

browserTest('the page draws every step and is walked by keyboard, without a request or an error', async (t) => {
  const { url, steps } = pageOf('cluster-ip-across-nodes');
  await using page = await Page.open(url);
  const text = (id: string): Promise<unknown> => page.evaluate(`document.getElementById('${id}').textContent`);
  t.regex(String(await text('verdict')), /^DELIVERED to podwire-matrix\/probe-node2-[ab] on node2/);
  t.is(await page.evaluate("document.querySelectorAll('circle.hop').length"), steps);
  t.regex(String(await text('position')), new RegExp(`Step 1 of ${steps}`));
  await page.press('ArrowRight');
  await page.press('ArrowRight');
  t.regex(String(await text('position')), /Step 3 of/);
  await page.press('End');
  t.regex(String(await text('step')), /the packet has arrived/);
  await page.press('Home');
  t.regex(String(await text('position')), /Step 1 of/);
  // By Tab to the button for the next step, and Enter on it.
  await page.press('Tab');
  await page.press('Tab');
  await page.press('Tab');
  t.is(await page.evaluate('document.activeElement.id'), 'next');
  await page.press('Enter');
  t.regex(String(await text('position')), /Step 2 of/);
  t.deepEqual(page.errors, []);
  t.deepEqual(page.requests.filter((address) => address !== url), []);
});

browserTest('a lost packet says where, why and what to do, and ends in a red step', async (t) => {
  await using page = await Page.open(pageOf('missing-fdb-entry').url);
  t.regex(String(await page.evaluate("document.getElementById('verdict').textContent")), /^DROPPED at node1\/pw-vxlan: NO_TX_TARGET/);
  t.regex(String(await page.evaluate("document.getElementById('remedy').textContent")), /bridge fdb/);
  t.is(await page.evaluate("document.querySelectorAll('circle.hop.drop').length"), 1);
  t.deepEqual(page.errors, []);
});

browserTest('each colour scheme has its own ground and ink, with enough contrast', async (t) => {
  const { url } = pageOf('hairpin-udp');
  const seen = new Set<unknown>();
  for (const scheme of ['light', 'dark'] as const) {
    await using page = await Page.open(url, scheme);
    const luminance = (property: string, selector: string): Promise<unknown> => page.evaluate(`(() => { const [r, g, b] = getComputedStyle(document.querySelector('${selector}')).${property}.match(/[\\d.]+/g).map(Number).map((one) => { const part = one / 255; return part <= 0.03928 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4; }); return 0.2126 * r + 0.7152 * g + 0.0722 * b; })()`);
    const ground = Number(await luminance('backgroundColor', 'body'));
    seen.add(ground);
    for (const selector of ['body', '.soft', '#verdict', '#step dt']) {
      const ink = Number(await luminance('color', selector));
      t.true((Math.max(ground, ink) + 0.05) / (Math.min(ground, ink) + 0.05) >= 4.5, `${scheme} ${selector}`);
    }
  }
  t.is(seen.size, 2);
});
