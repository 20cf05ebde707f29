import { getLink, setLink } from '@podwire/netlink';
import { openContainer, openContainerIfThere } from '../kernel/netns.ts';
import { CniError, cniCode } from '../protocol/errors.ts';
import { resultForVersion } from '../protocol/versions.ts';
import { previousOf } from './chained.ts';
import type { Plugin } from './plugin.ts';

/** loopback: brings `lo` up in the container, with 127.0.0.1 and ::1, which the kernel adds. */
export const loopbackPlugin: Plugin = {
  about: 'loopback: brings lo up in a container',
  add: (call) => {
    const { netns } = call.request;
    using rt = openContainer(netns);
    setLink(rt, 'lo', { up: true });
    const previous = previousOf(call);
    return Promise.resolve(previous?.raw ?? resultForVersion({
      interfaces: [{ name: 'lo', mac: '00:00:00:00:00:00', mtu: getLink(rt, 'lo')?.mtu ?? 65536, sandbox: netns }],
      ips: [{ address: '127.0.0.1/8', interface: 0 }, { address: '::1/128', interface: 0 }],
      routes: [], dns: {},
    }, call.config.cniVersion));
  },
  del: (call) => {
    using rt = openContainerIfThere(call.request.netns);
    if (rt !== undefined) setLink(rt, 'lo', { up: false });
    return Promise.resolve();
  },
  check: (call) => {
    using rt = openContainer(call.request.netns);
    if (getLink(rt, 'lo')?.isUp !== true) throw new CniError(cniCode.checkFailed, `CHECK: lo is down in ${call.request.netns}`);
    return Promise.resolve();
  },
  gc: () => Promise.resolve(),
  status: () => Promise.resolve(),
};
