import { errnoName } from '@podwire/netlink';
import type { NetlinkAck } from '@podwire/netlink';
import { eachAttribute, parseAttributes, text, u64 } from './attributes.ts';
import { ElementView } from './element-codec.ts';
import { NftError } from './errors.ts';
import type { SetSchema } from './schema.ts';
import type { Transaction } from './transaction.ts';
import { MSG, NFNL_HEADER, familyName } from './wire.ts';

/** libc's words for what nf_tables answers with, where the kernel says no more itself. */
const ERRNO_TEXTS: Readonly<Record<string, string>> = {
  EEXIST: 'exists already, with other data', ENOENT: 'no such table, chain, set or element', EBUSY: 'still in use', EINVAL: 'invalid argument', ENFILE: 'the set is full',
  EPERM: 'operation not permitted; run as root, or with CAP_NET_ADMIN', EMLINK: 'too many jumps', EOPNOTSUPP: 'not supported by this kernel', ENOMEM: 'out of memory',
  ERESTART: 'the ruleset changed meanwhile', ELOOP: 'the jumps would loop',
};

/** Finds, in the batch that was sent, the operation that the kernel refused: by sequence number, then by the attribute it points at. */
export function describeFailure(batch: Buffer, ack: NetlinkAck, transaction: Transaction): NftError {
  const code = ack.errno === 85 ? 'ERESTART' : errnoName(ack.errno);
  const kernelText = ack.kernelText === '' ? ERRNO_TEXTS[code] ?? '' : ack.kernelText;
  const { family, name } = transaction.table;
  for (let at = 0; at + NFNL_HEADER <= batch.length; at += batch.readUInt32LE(at)) {
    if (batch.readUInt32LE(at + 8) !== ack.seq) continue;
    const message = batch.subarray(at, at + batch.readUInt32LE(at));
    return new NftError(describeMessage(message, ack.offset, transaction.sets()) ?? `transaction on table ${family} ${name}`, code, kernelText);
  }
  return new NftError(`transaction on table ${family} ${name}`, code, kernelText);
}

function describeMessage(message: Buffer, offset: number | undefined, sets: ReadonlyMap<string, SetSchema>): string | undefined {
  const operation = message.readUInt16LE(4) & 0xff;
  const family = familyName(message[16] ?? 0);
  const attributes = parseAttributes(message, NFNL_HEADER);
  const table = `${family} ${text(attributes, 1)}`;
  switch (operation) {
    case MSG.NEWCHAIN: return `add chain ${table} ${text(attributes, 3)}`;
    case MSG.DELCHAIN: return `delete chain ${table} ${text(attributes, 3)}`;
    case MSG.NEWRULE: return `add rule ${table} ${text(attributes, 2)}`;
    case MSG.DELRULE: return attributes.has(3) ? `delete rule ${table} ${text(attributes, 2)} handle ${u64(attributes, 3) ?? 0n}` : `flush chain ${table} ${text(attributes, 2)}`;
    case MSG.NEWSETELEM:
    case MSG.DELSETELEM: {
      const set = text(attributes, 2);
      const verb = operation === MSG.NEWSETELEM ? 'add' : 'delete';
      if (!attributes.has(3)) return `flush set ${table} ${set}`;
      return `${verb} element ${table} ${set} { ${describeElement(message, offset, sets.get(set))} }`;
    }
    default: return undefined;
  }
}

/** The kernel points at the refused element, or at an attribute inside it; a list of one needs no pointer. */
function describeElement(message: Buffer, offset: number | undefined, set: SetSchema | undefined): string {
  for (const list of eachAttribute(message, NFNL_HEADER)) {
    if (list.type !== 3) continue;
    const elements = [...eachAttribute(message, list.offset + 4, list.offset + 4 + list.value.length)];
    const found = elements.length === 1 ? elements[0] : elements.find((element) => offset !== undefined && offset >= element.offset && offset < element.offset + 4 + element.value.length);
    if (found === undefined) return `one of ${elements.length} elements`;
    return set === undefined ? '...' : new ElementView(set, found.value).toString();
  }
  return '...';
}
