// One family's table: loads the constant ruleset, keeps its rows equal to the state, and puts right what others change.
import { NftError, Transaction } from 'nftables-js';
import type { Nft } from 'nftables-js';
import type { AddressRange, IpFamily } from '../core/address.ts';
import { mergeRanges } from '../core/address.ts';
import type { DesiredService } from '../core/desired.ts';
import { ROW_MAPS } from '../core/rows.ts';
import { TableState } from '../core/table-state.ts';
import type { TableEvents } from '../core/table-state.ts';
import { keeperExpressions } from '../ruleset/keeper-rules.ts';
import { STAND_IN, TABLE, layoutOf, pickerName, renderRuleset, renderRuntime } from '../ruleset/render.ts';
import type { RulesetOptions } from '../ruleset/render.ts';
import { tableSchema } from '../ruleset/schema.ts';
import type { ConfigSet, TableSchema } from '../ruleset/schema.ts';
import { RowAudit } from './audit.ts';
import type { Repair } from './audit.ts';
import { CONFIG_SETS, configDrift, configTransaction, rangesText } from './config-sets.ts';
import { adoptRows } from './kernel-rows.ts';
import type { Adoption } from './kernel-rows.ts';
import { rulePrint } from './rule-print.ts';
import { Suspicion } from './suspicion.ts';
import { ChainCounts, TransactionSink } from './transaction-sink.ts';

export class TableProgrammer {
  readonly family: IpFamily;
  readonly schema: TableSchema;
  readonly #events: TableEvents;
  readonly #nft: Nft;
  readonly #ruleset: RulesetOptions;
  #state: TableState;
  #pickers = new ChainCounts();
  #keepers = new ChainCounts();
  readonly #config: Record<ConfigSet, readonly AddressRange[]> = { 'svc-net': [], 'pod-net': [], 'node-ip': [] };
  /** What the rules looked like just after they were loaded. */
  #rulePrint = '';
  #isStarted = false;
  /** A table of another layout (an older or a newer Podwire's) serves until everything is known that is to replace it. */
  #isOtherLayout = false;
  /** The table `podwire-next` serves while this one is filled. */
  #hasStandIn = false;
  /** Around what changes the ruleset through another socket (`nft`): the drift watch must not take it for somebody else's. */
  onLoad: <T>(run: () => Promise<T>) => Promise<T> = (run) => run();

  constructor(family: IpFamily, nft: Nft, ruleset: RulesetOptions, events: TableEvents = {}, name = TABLE) {
    this.family = family;
    this.schema = tableSchema(family, name);
    this.#nft = nft;
    this.#ruleset = ruleset;
    this.#events = events;
    this.#state = new TableState(family, events);
  }

  get state(): TableState { return this.#state; }
  get isOtherLayout(): boolean { return this.#isOtherLayout; }
  /** Another table serves until everything is known that is to be in this one. */
  get isReplacing(): boolean { return this.#isOtherLayout || this.#hasStandIn; }
  get hasRetired(): boolean { return this.#state.hasRetired; }
  get hasUnusedChains(): boolean { return this.#pickers.hasUnused || this.#keepers.hasUnused; }

  /**
   * Loads the rules over what is there (every row stays in force) and takes the rows over.
   * Maps of another layout cannot be taken over: then nothing is done before the first `sync`, which replaces the table.
   */
  async start(): Promise<Adoption> {
    const { name } = this.schema.table;
    this.#hasStandIn = name === TABLE && (await this.#nft.list({ family: this.family, name: STAND_IN })).tables.length > 0;
    const [found] = (await this.#nft.list(this.schema.table)).tables;
    this.#isOtherLayout = found !== undefined && found.comment !== layoutOf(this.family);
    if (this.#isOtherLayout) return { rows: 0, suspicion: new Suspicion() };
    const adoption = await this.#adopt();
    if (!await this.#loadRules() && adoption.rows > 0) adoption.suspicion.addEverything();
    this.#isStarted = true;
    return adoption;
  }

  /** nft flush set ...; add element ... { ranges } */
  async setConfig(set: ConfigSet, ranges: readonly AddressRange[]): Promise<void> {
    const wanted = mergeRanges(ranges);
    if (rangesText(wanted) === rangesText(this.#config[set])) return;
    this.#config[set] = wanted;
    // A table that lacks rows must not drop what it does not know: the one that serves meanwhile knows it.
    if (!this.#isOtherLayout && !(this.#hasStandIn && set === 'svc-net')) await this.#nft.commit(this.#configTransaction(set));
  }

  /** Brings the given Services to what is wanted, as one transaction (a large load: as several, none of which cuts a Service). */
  async sync(services: Iterable<readonly [string, DesiredService | undefined]>): Promise<number> {
    if (this.#isOtherLayout) await this.#replace(services);
    const sink = this.#sink();
    for (const [key, wanted] of services) {
      this.#state.update(key, wanted, sink);
      if (sink.newKeepers.length > 0) await this.#loadKeepers(sink);
      await sink.breathe();
    }
    await sink.commit();
    if (this.#hasStandIn) await this.#dismissStandIn();
    return sink.operations;
  }

  /**
   * A table of another layout cannot be changed into ours while packets use it, and without any table they go nowhere. So a second
   * table of our layout is filled beside it, and serves while the first is made anew and filled in its turn.
   */
  async #replace(services: Iterable<readonly [string, DesiredService | undefined]>): Promise<void> {
    const standIn = new TableProgrammer(this.family, this.#nft, this.#ruleset, {}, STAND_IN);
    standIn.onLoad = this.onLoad;
    await standIn.start();
    if (standIn.isOtherLayout) {
      await standIn.remove();
      await standIn.start();
    }
    for (const set of ['pod-net', 'node-ip'] as const) await standIn.setConfig(set, this.#config[set]);
    await standIn.sync(services);
    await standIn.removeAdopted();
    await standIn.setConfig('svc-net', this.#config['svc-net']);
    await this.#loadRules({ isFresh: true });
    this.#isStarted = true;
    this.#isOtherLayout = false;
    this.#hasStandIn = true;
    for (const set of ['pod-net', 'node-ip'] as const) await this.#nft.commit(this.#configTransaction(set));
  }

  /** This table has every row now. */
  async #dismissStandIn(): Promise<void> {
    await this.#nft.commit(this.#configTransaction('svc-net'));
    await this.#nft.loadRuleset(removal(this.family, STAND_IN));
    this.#hasStandIn = false;
  }

  async #loadKeepers(sink: TransactionSink): Promise<void> {
    const text = renderRuntime(this.family, { pickers: [], keepers: sink.newKeepers }, this.schema.table.name);
    await this.onLoad(() => this.#nft.loadRuleset(text));
    await this.#writeKeepers(sink.newKeepers);
    sink.newKeepers.length = 0;
  }

  /** IPv6 affinity needs rules that nft's text cannot express. */
  async #writeKeepers(keepers: Iterable<number>): Promise<void> {
    if (this.family !== 'ip6') return;
    const transaction = new Transaction(this.schema.table);
    for (const seconds of keepers) {
      transaction.flushChain(`keep-${seconds}`);
      for (const rule of keeperExpressions(seconds)) transaction.addRule(`keep-${seconds}`, rule);
    }
    if (transaction.length > 0) await this.#nft.commit(transaction);
  }

  /** After everything was synced once: what nobody claimed goes. */
  async removeAdopted(): Promise<void> {
    const sink = this.#sink();
    this.#state.removeAdopted(sink);
    await sink.commit();
  }

  /** The second step of removals; not before packets that were on their way have passed. */
  async retire(): Promise<void> {
    const sink = this.#sink();
    this.#state.retire(sink);
    await sink.commit();
  }

  /** Chains for endpoint counts and time-outs that no Service has any more. Rarely: the count that went will often be back soon, and a new chain costs more than rows. */
  async retireChains(): Promise<void> {
    const last = new Transaction(this.schema.table);
    for (const [counts, map, chain] of [[this.#pickers, this.schema.pickers, pickerName], [this.#keepers, this.schema.keepers, (seconds: number) => `keep-${seconds}`]] as const) {
      for (const value of counts.unused) {
        last.deleteElement(map, value).deleteChain(chain(value));
        counts.forget(value);
      }
    }
    await this.#nft.commit(last);
  }

  /** Compares what is suspected with the kernel, and puts it right. Throws what the kernel refuses. */
  async audit(suspicion = Suspicion.everything()): Promise<Repair> {
    const rules = suspicion.rules === 'trusted' ? 'as loaded' : await this.#auditRules(suspicion.rules === 'changed');
    const sink = this.#sink();
    const rows = new RowAudit(this.#nft, this.schema, this.#state, sink);
    for (const map of ROW_MAPS) {
      const only = suspicion.rowsOf(map);
      if (rules === 'on an empty table') await rows.refill(map);
      else if (only !== undefined) await rows.compare(map, only);
    }
    await sink.commit();
    const { added, removed, changed, details } = rows;
    for (const set of CONFIG_SETS) {
      const had = await configDrift(this.#nft, this.schema, set, this.#config[set]);
      if (had === undefined) continue;
      details.push(`${this.family} ${set}: had ${had}`);
      await this.#nft.commit(this.#configTransaction(set));
    }
    return { added, removed, changed, rules: rules !== 'as loaded', details };
  }

  /** nft delete table FAMILY podwire, and its stand-in if an upgrade was cut short */
  async remove(): Promise<void> {
    const { name } = this.schema.table;
    await this.#nft.loadRuleset(`${removal(this.family, name)}${name === TABLE ? removal(this.family, STAND_IN) : ''}`);
  }

  #sink(): TransactionSink { return new TransactionSink(this.schema, this.#nft, this.#pickers, this.#keepers); }

  async #adopt(): Promise<Adoption> {
    const { tables, sets } = await this.#nft.list(this.schema.table);
    if (tables.length === 0 || !Object.keys(this.schema.rows).every((name) => sets.some((set) => set.name === name))) return { rows: 0, suspicion: new Suspicion() };
    const adopted = await adoptRows(this.#nft, this.schema, this.#state);
    for (const port of this.#state.ports()) {
      for (const slots of [port.base, port.twin]) if (slots !== undefined && slots.count !== 0) this.#pickers.up(slots.count);
      if (port.stickySeconds !== 0) this.#keepers.up(port.stickySeconds);
    }
    return adopted;
  }

  /** False: what was there could not be kept, and the table has no rows now. */
  async #loadRules(options: { readonly isFresh?: boolean } = {}): Promise<boolean> {
    const { name } = this.schema.table;
    const text = renderRuleset(this.family, this.#ruleset, { pickers: this.#pickers.existing, keepers: this.#keepers.existing }, name);
    const fresh = `${removal(this.family, name)}${text}`;
    let isFresh = options.isFresh === true;
    try {
      await this.onLoad(() => this.#nft.loadRuleset(isFresh ? fresh : text));
    } catch (error) {
      // Something of another layout under our names: nothing of it can be kept. The audit writes every row again.
      if (!(error instanceof NftError) || error.code === 'EPERM') throw error;
      await this.onLoad(() => this.#nft.loadRuleset(fresh));
      isFresh = true;
      if (!this.#isStarted) this.#state = new TableState(this.family, this.#events);
    }
    await this.#writeKeepers(this.#keepers.existing);
    await this.#removeForeignChains(text);
    this.#rulePrint = await rulePrint(this.#nft, this.schema, this.#pickers, this.#keepers);
    return !isFresh;
  }

  async #removeForeignChains(text: string): Promise<void> {
    const ours = new Set([...text.matchAll(/^(?:\tchain|add chain \S+ \S+) ([a-z0-9-]+)/gm)].map((match) => match[1] ?? ''));
    const { chains } = await this.#nft.list(this.schema.table);
    const transaction = new Transaction(this.schema.table);
    for (const { name } of chains) if (!ours.has(name)) transaction.deleteChain(name);
    await this.#nft.commit(transaction);
  }

  async #auditRules(isChanged: boolean): Promise<'as loaded' | 'loaded anew' | 'on an empty table'> {
    const [found] = (await this.#nft.list(this.schema.table)).tables;
    // A comment cannot be given to a table that is there: one without ours is somebody else's, and its rows are not ours either.
    const isOurs = found?.comment === layoutOf(this.family);
    if (isOurs && !isChanged && await rulePrint(this.#nft, this.schema, this.#pickers, this.#keepers) === this.#rulePrint) return 'as loaded';
    const keptRows = await this.#loadRules({ isFresh: found !== undefined && !isOurs });
    return isOurs && keptRows ? 'loaded anew' : 'on an empty table';
  }

  #configTransaction(set: ConfigSet): Transaction { return configTransaction(this.schema, set, this.#config[set]); }
}

/** Deletes a table that may be there or not. */
function removal(family: IpFamily, name: string): string {
  return `add table ${family} ${name}\ndelete table ${family} ${name}\n`;
}
