// Offload features of a device, over ethtool's generic netlink (Linux 5.6; linux/genetlink.h, linux/ethtool_netlink.h).
import { Attributes, eachAttribute } from './attributes.ts';
import { NETLINK_GENERIC, NetlinkSocket } from './socket.ts';
import { NetlinkWriter } from './writer.ts';

const GENL_ID_CTRL = 16;
const CTRL_CMD_GETFAMILY = 3;
const CTRL_ATTR_FAMILY_ID = 1;
const CTRL_ATTR_FAMILY_NAME = 2;
const ETHTOOL_MSG_FEATURES_GET = 11;
const ETHTOOL_MSG_FEATURES_SET = 12;
const FEATURES_HEADER = 1;
const FEATURES_WANTED = 3;
const FEATURES_ACTIVE = 4;
const HEADER_DEV_NAME = 2;
const BITSET_BITS = 3;
const BITS_BIT = 1;
const BIT_NAME = 2;
const BIT_VALUE = 3;
const GENL_HEADER = 4;

export interface EthtoolOptions {
  /** Path of the namespace of the device; default: this thread's own. */
  readonly netns?: string;
}

/** struct genlmsghdr */
const command = (number: number): Buffer => Buffer.from([number, 1, 0, 0]);

/** Families get their numbers when the kernel starts. */
function familyOf(socket: NetlinkSocket): number {
  const writer = new NetlinkWriter();
  writer.raw(command(CTRL_CMD_GETFAMILY)).string(CTRL_ATTR_FAMILY_NAME, 'ethtool');
  const [reply] = socket.request(GENL_ID_CTRL, 0, writer.bytes(), { operation: 'genl ctrl get name ethtool' });
  const id = reply === undefined ? undefined : new Attributes(reply.payload.subarray(GENL_HEADER)).u16(CTRL_ATTR_FAMILY_ID);
  if (id === undefined) throw new Error('genl ctrl get name ethtool: the kernel named no family');
  return id;
}

const open = ({ netns }: EthtoolOptions): NetlinkSocket => NetlinkSocket.open(NETLINK_GENERIC, netns === undefined ? {} : { netns });

/** `ethtool -k DEV`: the names of the features that are on. */
export function activeFeatures(dev: string, options: EthtoolOptions = {}): ReadonlySet<string> {
  using socket = open(options);
  const writer = new NetlinkWriter();
  writer.raw(command(ETHTOOL_MSG_FEATURES_GET)).nested(FEATURES_HEADER, (header) => header.string(HEADER_DEV_NAME, dev));
  const [reply] = socket.request(familyOf(socket), 0, writer.bytes(), { operation: `ethtool -k ${dev}` });
  const bits = reply === undefined ? undefined : new Attributes(reply.payload.subarray(GENL_HEADER)).nested(FEATURES_ACTIVE)?.bytes(BITSET_BITS);
  return new Set([...eachAttribute(bits ?? Buffer.alloc(0))].map(({ value }) => new Attributes(value).string(BIT_NAME) ?? ''));
}

/** `ethtool -K DEV FEATURE on|off`. A name that the kernel does not know is EOPNOTSUPP; a feature that the device cannot change stays as it is. */
export function setFeature(dev: string, feature: string, isOn: boolean, options: EthtoolOptions = {}): void {
  using socket = open(options);
  const writer = new NetlinkWriter();
  writer.raw(command(ETHTOOL_MSG_FEATURES_SET)).nested(FEATURES_HEADER, (header) => header.string(HEADER_DEV_NAME, dev));
  writer.nested(FEATURES_WANTED, (set) => set.nested(BITSET_BITS, (bits) => bits.nested(BITS_BIT, (bit) => {
    bit.string(BIT_NAME, feature);
    if (isOn) bit.flag(BIT_VALUE);
  })));
  socket.request(familyOf(socket), 0, writer.bytes(), { operation: `ethtool -K ${dev} ${feature} ${isOn ? 'on' : 'off'}` });
}
