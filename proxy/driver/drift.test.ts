// What the watch makes of the kernel's events, in any order that they can come in. Real tables: test/integration/proxy-suspicion.test.ts.
import test from 'ava';
import { FakeNft } from 'nftables-js';
import type { MonitorChange, MonitorEvent, Nft } from 'nftables-js';
import { ROW_MAPS } from '../core/rows.ts';
import { tableSchema } from '../ruleset/schema.ts';
import { watchDrift } from './drift.ts';
import type { DriftWatch, Suspicions } from './drift.ts';

const schemas = [tableSchema('ip'), tableSchema('ip6')] as const;

class Kernel {
  readonly told: Suspicions[] = [];
  readonly watch: DriftWatch;
  generation = 10;
  #onEvent: (event: MonitorEvent) => void = () => undefined;

  constructor() {
    const nft: Nft = new FakeNft();
    nft.generation = () => Promise.resolve(this.generation);
    nft.monitor = (onEvent) => { this.#onEvent = onEvent; };
    this.watch = watchDrift(nft, schemas, new AbortController().signal, (suspicions) => this.told.push(suspicions));
  }

  change(object: MonitorChange['object'], name: string, options: { family?: 'ip' | 'ip6'; table?: string; keys?: readonly (readonly (string | number)[])[] } = {}): void {
    const { family = 'ip', table = 'podwire', keys = [] } = options;
    this.#onEvent({ kind: 'change', action: 'del', object, table: { family, name: table }, name, portId: 77, elements: () => keys.map((key) => ({ key })) });
  }

  end(generation = ++this.generation): void { this.#onEvent({ kind: 'generation', generation, portId: 77, pid: 77, process: 'nft' }); }
  loseEvents(): void { this.#onEvent({ kind: 'dirty' }); }

  /** In one line for each time that drift was told. */
  get lines(): string[] {
    return this.told.map((suspicions) => [...suspicions].map(([family, suspicion]) => {
      const maps = ROW_MAPS.map((map) => {
        const rows = suspicion.rowsOf(map);
        return rows === undefined ? '' : rows === 'all' ? `${map}: all` : `${map}: ${[...rows.keys()].join(', ')}`;
      });
      return maps.every((map) => map.endsWith(': all')) ? `${family} everything` : `${family} rules ${suspicion.rules} ${maps.filter((map) => map !== '').join('; ')}`.trimEnd();
    }).join(' + '));
  }
}

test('a transaction is told when it is over, with the rows that it touched in each table of ours', (t) => {
  const kernel = new Kernel();
  kernel.change('element', 'slot', { keys: [[1, 0], [1, 1]] });
  kernel.change('element', 'service', { family: 'ip6', keys: [['fd96::1', 'tcp', 80]] });
  kernel.change('element', 'slot', { table: 'theirs', keys: [[2, 0]] });
  t.deepEqual(kernel.lines, []);
  kernel.end();
  kernel.end();
  t.deepEqual(kernel.lines, ['ip rules trusted slot: 1 0, 1 1 + ip6 rules trusted service: fd96::1 6 80']);
});

test('what is no row: rules and chains, verdicts, the sets of a rule; a table or a set of ours is everything', (t) => {
  for (const [object, name, expected] of [
    ['rule', 'services', 'ip rules changed'], ['chain', 'intruder', 'ip rules changed'], ['set', '__set3', 'ip rules changed'], ['element', 'pickers', 'ip rules changed'],
    ['element', 'pod-net', 'ip rules trusted'], ['element', 'source-ok', 'ip rules trusted source-ok: all'], ['set', 'slot', 'ip everything'], ['table', '', 'ip everything'],
  ] as const) {
    const kernel = new Kernel();
    kernel.change(object, name);
    kernel.end();
    t.deepEqual(kernel.lines, [expected], `${object} ${name}`);
  }
});

test('a client\'s affinity is no drift', (t) => {
  const kernel = new Kernel();
  kernel.change('element', 'affinity', { keys: [[1, '10.0.0.1']] });
  kernel.end();
  t.deepEqual(kernel.lines, []);
});

test('lost events: everything of every table', (t) => {
  const kernel = new Kernel();
  kernel.loseEvents();
  t.deepEqual(kernel.lines, ['ip everything + ip6 everything']);
});

test('loading rules is no drift, whenever its events come', async (t) => {
  const kernel = new Kernel();
  await kernel.watch.whileLoading(() => {
    kernel.change('rule', 'services');
    kernel.end();
    return Promise.resolve();
  });
  await kernel.watch.whileLoading(() => {
    kernel.generation++;
    return Promise.resolve();
  });
  kernel.change('rule', 'services');
  kernel.end(kernel.generation);
  t.deepEqual(kernel.lines, []);
  kernel.change('rule', 'services');
  kernel.end();
  t.is(kernel.lines.length, 1);
});

test('somebody else\'s transaction while rules are loaded is told, whenever its events come', async (t) => {
  const early = new Kernel();
  await early.watch.whileLoading(() => {
    early.change('element', 'count', { keys: [[7]] });
    early.end();
    early.end();
    return Promise.resolve();
  });
  t.deepEqual(early.lines, ['ip rules trusted count: 7']);
  const late = new Kernel();
  await late.watch.whileLoading(() => {
    late.generation += 2;
    return Promise.resolve();
  });
  await late.watch.whileLoading(() => {
    late.change('element', 'count', { keys: [[8]] });
    late.end(late.generation - 1);
    late.end(late.generation);
    late.generation++;
    return Promise.resolve();
  });
  t.deepEqual(late.lines, ['ip rules trusted count: 8']);
});

test('a loading that fails is over all the same', async (t) => {
  const kernel = new Kernel();
  await t.throwsAsync(kernel.watch.whileLoading(() => Promise.reject(new Error('no'))));
  kernel.change('rule', 'services');
  kernel.end();
  t.is(kernel.lines.length, 1);
});
