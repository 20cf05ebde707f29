// The report in a real browser: both colour schemes, the keyboard, no request to anywhere. Skips where there is no Chromium.
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test from 'ava';
import { Page, noBrowser } from '../../test/helpers/browser.ts';
import { judge } from './judge.ts';
import type { Cell } from './model.ts';
import { htmlReport } from './report-html.ts';
import { report } from './run.ts';

const inBrowser = noBrowser === undefined ? test : test.skip; // apt-get install chromium

const cell: Cell = {
  id: 'a', place: { kind: 'outside' }, path: 'pod to pod', locality: 'same node', protocol: 'TCP', family: 'IPv4', to: 'pod <b>x</b>', host: '10.0.0.1', port: 80, expected: 'ok', attempts: 1,
};
const ok = { id: '1', ok: true, refused: false, timeout: false, ms: 1 };
const html = htmlReport(report([judge(cell, [ok]), { ...judge(cell, [{ ...ok, ok: false, timeout: true }]), trace: 'DROPPED at node1' }, judge({ ...cell, skip: 'why not' }, [])]));

inBrowser('the report works by keyboard, fetches nothing, and follows the colour scheme', async (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'podwire-report-'));
  t.teardown(() => rmSync(folder, { recursive: true }));
  const file = join(folder, 'report.html');
  writeFileSync(file, html);
  await using page = await Page.open(`file://${file}`);
  t.is(await page.evaluate('document.querySelectorAll("button[data-cell]").length'), 3);
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
  const background = async (scheme: 'light' | 'dark'): Promise<unknown> => {
    await page.prefer(scheme);
    return page.evaluate('getComputedStyle(document.documentElement).getPropertyValue("--ok") && getComputedStyle(document.querySelector(".ok")).color');
  };
  t.not(await background('dark'), await background('light'));
  t.deepEqual(page.requests.filter((url) => !url.startsWith('file:')), []);
});
