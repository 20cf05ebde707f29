// What the kernel and the fake do alike: tables, elements, transactions, refusals. Their monitors: contract-monitor.test.ts.
import type { ExecutionContext } from 'ava';
import * as fc from 'fast-check';
import { NftError, Transaction, cidrRange, defineSet, expr } from './index.ts';
import type { Nft } from './index.ts';
import { affinity, each, endpoint, pickers, podNet, service, slot, table } from './testing/contract.ts';

const rows = async (nft: Nft, set: typeof slot): Promise<readonly string[]> => {
  const found: string[] = [];
  await nft.elements(set, (element) => found.push(element.toString()));
  return found.sort();
};

async function refusal(t: ExecutionContext, promise: Promise<void>): Promise<NftError> {
  return t.throwsAsync(promise, { instanceOf: NftError });
}

each('elements of maps and sets come back as they were added', async (t, { nft }) => {
  await nft.commit(new Transaction(table)
    .addElement(service, ['10.96.0.10', 'tcp', 80], 0x80000001)
    .addElement(service, [0x0a60000a, 17, 53], 0x80000002)
    .addElement(slot, [0x80000001, 0], 0x10001)
    .addElement(endpoint, 0x10001, ['10.244.1.2', 8080])
    .addRange(podNet, cidrRange('192.168.0.0/24')));
  t.deepEqual(await rows(nft, service), ['10.96.0.10 . tcp . 80 : 0x80000001', '10.96.0.10 . udp . 53 : 0x80000002']);
  t.deepEqual(await rows(nft, slot), ['0x80000001 . 0x00000000 : 0x00010001']);
  // `nft` itself closes the empty interval below the first range; this library does not need to.
  t.deepEqual((await rows(nft, podNet)).filter((row) => row !== '0.0.0.0 (end)'), ['10.0.0.0', '11.0.0.0 (end)', '192.168.0.0', '192.168.1.0 (end)']);
  const [row] = await nft.elements(endpoint);
  t.deepEqual({ key: row?.key, data: row?.data }, { key: [0x10001], data: ['10.244.1.2', 8080] });
});

each('a time-out comes back with the element', async (t, { nft }) => {
  await nft.commit(new Transaction(table).addElement(affinity, ['10.0.0.1', 7], 9, { timeoutMs: 60_000 }));
  const [row] = await nft.elements(affinity);
  t.is(row?.timeoutMs, 60_000);
});

each('an equal element may be added again, but not created again', async (t, { nft }) => {
  await nft.commit(new Transaction(table).addElement(slot, [1, 0], 5));
  await nft.commit(new Transaction(table).addElement(slot, [1, 0], 5));
  const error = await refusal(t, nft.commit(new Transaction(table).createElement(slot, [1, 0], 5)));
  t.is(error.code, 'EEXIST');
});

each('the refused element is named among many, and nothing of the transaction took effect', async (t, { nft }) => {
  await nft.commit(new Transaction(table).addElement(slot, [1, 0], 5));
  const before = await nft.generation();
  const error = await refusal(t, nft.commit(new Transaction(table).addElement(slot, [2, 0], 6).addElement(slot, [1, 0], 6).addElement(slot, [3, 0], 6)));
  t.is(error.code, 'EEXIST');
  t.is(error.operation, 'add element ip contract slot { 0x00000001 . 0x00000000 : 0x00000006 }');
  t.deepEqual(await rows(nft, slot), ['0x00000001 . 0x00000000 : 0x00000005']);
  t.is(await nft.generation(), before);
});

each('deleting what is not there is ENOENT with the key', async (t, { nft }) => {
  const error = await refusal(t, nft.commit(new Transaction(table).deleteElement(endpoint, 0x77)));
  t.is(error.code, 'ENOENT');
  t.is(error.operation, 'delete element ip contract endpoint { 0x00000077 }');
});

each('a map value is replaced in one transaction', async (t, { nft }) => {
  await nft.commit(new Transaction(table).addElement(slot, [1, 0], 5));
  await nft.commit(new Transaction(table).replaceElement(slot, [1, 0], 6));
  t.deepEqual(await rows(nft, slot), ['0x00000001 . 0x00000000 : 0x00000006']);
});

each('sets of one transaction may interleave without any order between them', async (t, { nft }) => {
  const transaction = new Transaction(table);
  for (let id = 1; id <= 2000; id++) transaction.addElement(slot, [id, 0], id).addElement(endpoint, id, [`10.1.${id >> 8}.${id & 255}`, 80]);
  t.is(transaction.length, 4000);
  await nft.commit(transaction);
  t.is((await nft.elements(slot)).length, 2000);
  t.is((await nft.elements(endpoint)).length, 2000);
});

each('a chain, its rule and the verdict that names it arrive together, in any order of calls', async (t, { nft }) => {
  await nft.commit(new Transaction(table)
    .addElement(pickers, 4, { verdict: 'jump', chain: 'lb-4' })
    .addChain('lb-4')
    .addRule('lb-4', [expr.ctLoad('mark', 0), expr.numgen('random', 4, 1), expr.lookup('slot', 0, 0), expr.ctSet('mark', 0)]));
  t.deepEqual(await rows(nft, pickers), ['0x00000001 : jump lb-1', '0x00000004 : jump lb-4']);
  const { chains, rules } = await nft.list(table);
  t.deepEqual(chains.map(({ name }) => name).sort(), ['lb-1', 'lb-4']);
  const rule = rules.find(({ chain }) => chain === 'lb-4');
  t.deepEqual(rule?.expressions, ['ct', 'numgen', 'lookup', 'ct']);
  t.deepEqual(rule?.references, ['slot']);
});

each('a chain goes with the element that named it, and not before', async (t, { nft }) => {
  const error = await refusal(t, nft.commit(new Transaction(table).deleteChain('lb-1')));
  t.is(error.code, 'EBUSY');
  t.is(error.operation, 'delete chain ip contract lb-1');
  await nft.commit(new Transaction(table).deleteChain('lb-1').deleteElement(pickers, 1));
  t.deepEqual((await nft.list(table)).chains, []);
});

each('a verdict that names no chain is refused', async (t, { nft }) => {
  const error = await refusal(t, nft.commit(new Transaction(table).addElement(pickers, 9, { verdict: 'goto', chain: 'nowhere' })));
  t.is(error.code, 'ENOENT');
  t.is(error.operation, 'add element ip contract pickers { 0x00000009 : goto nowhere }');
});

each('flushing a set comes before what is added to it', async (t, { nft }) => {
  await nft.commit(new Transaction(table).addElement(slot, [1, 0], 5));
  await nft.commit(new Transaction(table).addElement(slot, [1, 0], 6).flushSet(slot));
  t.deepEqual(await rows(nft, slot), ['0x00000001 . 0x00000000 : 0x00000006']);
});

each('an unusable value is refused at once and leaves the transaction as it was', async (t, { nft }) => {
  const transaction = new Transaction(table).addElement(slot, [1, 0], 5);
  for (const [run, part] of [
    [() => transaction.addElement(service, ['10.0.0.256', 'tcp', 80], 1), '10.0.0.256'],
    [() => transaction.addElement(service, ['10.0.0.1', 'tcp', 65536], 1), '65536'],
    [() => transaction.addElement(service, ['10.0.0.1', 'tcp'] as never, 1), 'ipv4_addr . inet_proto . inet_service'],
    [() => transaction.addElement(service, ['10.0.0.1', 'quic', 80], 1), 'quic'],
    [() => transaction.addElement(pickers, 2, { verdict: 'jump' }), 'jump'],
    [() => transaction.addElement(podNet, 1, 1), 'not defined as a map'],
  ] as const) {
    const error = t.throws(run, { instanceOf: NftError });
    t.is(error.code, 'EUSAGE');
    t.true(error.message.includes(part), error.message);
  }
  await nft.commit(transaction);
  t.is((await nft.elements(slot)).length, 1);
});

each('a commit that names an older generation is refused', async (t, { nft, other }) => {
  const generation = await nft.generation();
  await other.commit(new Transaction(table).addElement(slot, [1, 0], 5));
  const error = await refusal(t, nft.commit(new Transaction(table).addElement(slot, [2, 0], 5), { generation }));
  t.is(error.code, 'ERESTART');
  await nft.commit(new Transaction(table).addElement(slot, [2, 0], 5), { generation: await nft.generation() });
  t.is((await nft.elements(slot)).length, 2);
});

each('sets are listed with their types, and their elements can be read by them', async (t, { nft }) => {
  const { sets, tables } = await nft.list(table);
  t.like(tables, [table]);
  t.deepEqual(sets.filter(({ isAnonymous }) => !isAnonymous).map(({ name, schema }) => [name, schema?.key.fields.join(' . '), schema?.data === 'verdict' ? 'verdict' : schema?.data?.fields.join(' . ')]), [
    ['service', 'ipv4_addr . inet_proto . inet_service', 'mark'], ['slot', 'mark . mark', 'mark'], ['endpoint', 'mark', 'ipv4_addr . inet_service'],
    ['pickers', 'mark', 'verdict'], ['affinity', 'ipv4_addr . mark', 'mark'], ['pod-net', 'ipv4_addr', undefined],
  ]);
  const schema = sets.find(({ name }) => name === 'pickers')?.schema;
  t.deepEqual(schema === undefined ? [] : await rows(nft, schema), ['0x00000001 : jump lb-1']);
});

each('a missing set is named', async (t, { nft }) => {
  const error = await t.throwsAsync(nft.elements(defineSet(table, 'nowhere', ['mark'])), { instanceOf: NftError });
  t.is(error.code, 'ENOENT');
  t.true(error.message.includes('ip contract nowhere'));
});

each('text that cannot be loaded is refused with its line, and none of it took effect', async (t, { nft }) => {
  const syntax = await refusal(t, nft.loadRuleset('add table ip half\nadd nonsense ip half x\n'));
  t.is(syntax.code, 'SYNTAX');
  t.is(syntax.line, 2);
  t.deepEqual((await nft.list({ family: 'ip', name: 'half' })).tables, []);
});

each('a commit whose signal is aborted does nothing', async (t, { nft }) => {
  await t.throwsAsync(nft.commit(new Transaction(table).addElement(slot, [1, 0], 5), { signal: AbortSignal.abort() }));
  t.deepEqual(await rows(nft, slot), []);
});

each('an empty transaction is no transaction', async (t, { nft }) => {
  const generation = await nft.generation();
  await nft.commit(new Transaction(table));
  t.is(await nft.generation(), generation);
});

each('some elements are looked up by key, those that are not there left out, however many are asked for', async (t, { nft }) => {
  const transaction = new Transaction(table);
  for (let id = 0; id < 1000; id += 2) transaction.addElement(slot, [id, 0], id + 1);
  await nft.commit(transaction);
  const found = await nft.elements(slot, { keys: Array.from({ length: 1000 }, (_, id) => [id, 0]) });
  t.deepEqual(found.map(({ key, data }) => [key[0], data?.[0]]), Array.from({ length: 500 }, (_, i) => [i * 2, i * 2 + 1]));
  t.deepEqual(await nft.elements(slot, { keys: [[1, 0], [1, 1]] }), []);
  t.deepEqual(await nft.elements(slot, { keys: [] }), []);
  await t.throwsAsync(nft.elements(defineSet(table, 'nowhere', ['mark']), { keys: [1] }), { code: 'ENOENT' });
});

each('whatever is added, replaced, deleted or flushed, and in whatever order, the elements are those of a plain Map', async (t, { nft }) => {
  const key = fc.nat(12);
  const step = fc.oneof(
    fc.record({ kind: fc.constant('set' as const), key, value: fc.nat(3) }), fc.record({ kind: fc.constant('delete' as const), key }), fc.record({ kind: fc.constant('flush' as const) }),
  );
  await fc.assert(fc.asyncProperty(fc.array(fc.array(step, { maxLength: 8 }), { maxLength: 6 }), async (transactions) => {
    await nft.commit(new Transaction(table).flushSet(slot));
    const model = new Map<number, number>();
    for (const steps of transactions) {
      const transaction = new Transaction(table);
      // A flush comes first in a transaction, whenever it was asked for.
      if (steps.some(({ kind }) => kind === 'flush')) {
        transaction.flushSet(slot);
        model.clear();
      }
      for (const one of steps) {
        if (one.kind === 'set') {
          if (model.has(one.key)) transaction.deleteElement(slot, [one.key, 0]);
          transaction.addElement(slot, [one.key, 0], one.value);
          model.set(one.key, one.value);
        } else if (one.kind === 'delete' && model.delete(one.key)) transaction.deleteElement(slot, [one.key, 0]);
      }
      await nft.commit(transaction);
    }
    const rows = (await nft.elements(slot)).map((element) => [element.key[0], element.data?.[0]]).sort((a, b) => Number(a[0]) - Number(b[0]));
    t.deepEqual(rows, [...model].sort((a, b) => a[0] - b[0]));
  }), { numRuns: 40 });
});

each('a refused transaction leaves chains, rules and flushed sets as they were', async (t, { nft }) => {
  await nft.commit(new Transaction(table).addElement(slot, [1, 0], 5).addElement(slot, [2, 0], 6));
  const before = { listing: await nft.list(table), rows: await rows(nft, slot) };
  const error = await refusal(t, nft.commit(new Transaction(table)
    .flushSet(slot).addElement(slot, [3, 0], 7).addChain('x').addRule('x', [expr.counter()]).flushChain('lb-1').deleteElement(endpoint, 0x99)));
  t.is(error.operation, 'delete element ip contract endpoint { 0x00000099 }');
  t.deepEqual({ listing: await nft.list(table), rows: await rows(nft, slot) }, before);
});
