import { writeVerdictData } from './element-codec.ts';
import type { Verdict } from './schema.ts';
import type { MessageWriter } from './writer.ts';

/**
 * One expression of a rule, as the kernel's virtual machine runs it; the doc of each function is its line in `nft --debug=netlink`.
 * Registers are the 32-bit ones, 0 to 15: a concatenated key of 4-byte fields lies in neighbouring registers.
 */
export interface Expression {
  readonly name: string;
  write(writer: MessageWriter): void;
}

/** NFT_REG32_00 is 8 in the kernel's numbering. */
const register = (n: number): number => 8 + n;

/** `[ ct load mark => reg dst ]` */
export function ctLoad(key: 'mark', dst: number): Expression {
  return { name: 'ct', write: (writer) => { writer.u32be(1, register(dst)); writer.u32be(2, CT_KEYS[key]); } };
}

/** `[ ct set mark with reg src ]` */
export function ctSet(key: 'mark', src: number): Expression {
  return { name: 'ct', write: (writer) => { writer.u32be(2, CT_KEYS[key]); writer.u32be(4, register(src)); } };
}
const CT_KEYS = { mark: 3 } as const;

/** `[ meta load mark => reg dst ]` */
export function metaLoad(key: keyof typeof META_KEYS, dst: number): Expression {
  return { name: 'meta', write: (writer) => { writer.u32be(1, register(dst)); writer.u32be(2, META_KEYS[key]); } };
}

/** `[ meta set mark with reg src ]` */
export function metaSet(key: keyof typeof META_KEYS, src: number): Expression {
  return { name: 'meta', write: (writer) => { writer.u32be(2, META_KEYS[key]); writer.u32be(3, register(src)); } };
}
const META_KEYS = { mark: 3, iif: 4, oif: 5, nfproto: 15, l4proto: 16, nftrace: 14 } as const;

/** `[ numgen reg dst = random mod modulus ]` (or `inc`) */
export function numgen(type: 'inc' | 'random', modulus: number, dst: number): Expression {
  return {
    name: 'numgen',
    write(writer) {
      writer.u32be(1, register(dst));
      writer.u32be(2, modulus);
      writer.u32be(3, type === 'inc' ? 0 : 1);
      writer.u32be(4, 0);
    },
  };
}

/** `[ hash reg dst = jhash(reg src, length, seed) % mod modulus ]` */
export function jhash(src: number, length: number, modulus: number, seed: number, dst: number): Expression {
  return {
    name: 'hash',
    write(writer) {
      writer.u32be(1, register(src));
      writer.u32be(2, register(dst));
      writer.u32be(3, length);
      writer.u32be(4, modulus);
      writer.u32be(5, seed);
      writer.u32be(6, 0);
      writer.u32be(7, 0);
    },
  };
}

/** `[ lookup reg src set NAME dreg dst ]`: a map; without dst: `[ lookup reg src set NAME ]`. `isVerdict`: a verdict map. */
export function lookup(set: string, src: number, dst?: number | 'verdict', options: { invert?: boolean } = {}): Expression {
  return {
    name: 'lookup',
    write(writer) {
      writer.string(1, set);
      writer.u32be(2, register(src));
      if (dst !== undefined) writer.u32be(3, dst === 'verdict' ? 0 : register(dst));
      if (options.invert === true) writer.u32be(5, 1);
    },
  };
}

/** `[ immediate reg 0 jump CHAIN ]` */
export function verdict(value: Verdict): Expression {
  return {
    name: 'immediate',
    write(writer) {
      writer.u32be(1, 0);
      const data = writer.beginNested(2);
      writeVerdictData(writer, value);
      writer.endNested(data);
    },
  };
}

/** `[ immediate reg dst 0x... ]` */
export function immediate(bytes: Uint8Array, dst: number): Expression {
  return {
    name: 'immediate',
    write(writer) {
      writer.u32be(1, register(dst));
      const data = writer.beginNested(2);
      writer.raw(1, bytes);
      writer.endNested(data);
    },
  };
}

/** `[ cmp eq reg src 0x... ]` */
export function cmp(op: 'eq' | 'neq', src: number, bytes: Uint8Array): Expression {
  return {
    name: 'cmp',
    write(writer) {
      writer.u32be(1, register(src));
      writer.u32be(2, op === 'eq' ? 0 : 1);
      const data = writer.beginNested(3);
      writer.raw(1, bytes);
      writer.endNested(data);
    },
  };
}

/** `[ bitwise reg dst = ( reg src & mask ) ^ 0 ]`; marks are in host byte order. */
export function bitwiseAnd(src: number, mask: Uint8Array, dst: number): Expression {
  return {
    name: 'bitwise',
    write(writer) {
      writer.u32be(1, register(src));
      writer.u32be(2, register(dst));
      writer.u32be(3, mask.length);
      for (const [attribute, bytes] of [[4, mask], [5, new Uint8Array(mask.length)]] as const) {
        const data = writer.beginNested(attribute);
        writer.raw(1, bytes);
        writer.endNested(data);
      }
    },
  };
}

/** `[ payload load len b @ network header + offset => reg dst ]` */
export function payload(base: 'link' | 'network' | 'transport', offset: number, length: number, dst: number): Expression {
  return {
    name: 'payload',
    write(writer) {
      writer.u32be(1, register(dst));
      writer.u32be(2, { link: 0, network: 1, transport: 2 }[base]);
      writer.u32be(3, offset);
      writer.u32be(4, length);
    },
  };
}

/** `[ dynset update reg_key src set NAME sreg_data data timeout ... ]` */
export function dynset(op: 'add' | 'update' | 'delete', set: string, key: number, data?: number, options: { timeoutMs?: number } = {}): Expression {
  return {
    name: 'dynset',
    write(writer) {
      writer.string(1, set);
      writer.u32be(3, { add: 0, update: 1, delete: 2 }[op]);
      writer.u32be(4, register(key));
      if (data !== undefined) writer.u32be(5, register(data));
      if (options.timeoutMs !== undefined) writer.u64be(6, BigInt(options.timeoutMs));
    },
  };
}

/** `[ counter pkts 0 bytes 0 ]` */
export function counter(): Expression {
  return { name: 'counter', write: () => undefined };
}

/** NFTA_RULE_EXPRESSIONS: a list of { name, data }. */
export function writeExpressions(writer: MessageWriter, type: number, expressions: readonly Expression[]): void {
  const list = writer.beginNested(type);
  for (const expression of expressions) {
    const element = writer.beginNested(1);
    writer.string(1, expression.name);
    const data = writer.beginNested(2);
    expression.write(writer);
    writer.endNested(data);
    writer.endNested(element);
  }
  writer.endNested(list);
}
