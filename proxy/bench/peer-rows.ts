// Rows of the report from what was measured of our proxy and kube-proxy side by side.
import type { Measured, PeersResult } from './peers-child.ts';
import type { BenchResult } from './result.ts';

const rounded = (value: number): number => Number(value.toPrecision(4));

interface Line { readonly name: string; readonly unit: string; readonly of: (measured: Measured) => number; readonly floor?: number; /** Our value as a multiple of the peer's: at most. */ readonly most?: number }

/** Without a kube-proxy that came to an end (`undefined` in `measured`) the rows have no peer, and nothing to reach. */
export function peerRows({ services, measured, eventMs }: PeersResult): BenchResult[] {
  const ours = measured.podwire;
  const peer = measured['kube-proxy'];
  if (ours === undefined) return [];
  const lines: readonly Line[] = [
    { name: `program, cold start ${services} x 10`, unit: 'ms', of: (one) => one.wallMs, most: 1 },
    { name: `program, cold start ${services} x 10, CPU`, unit: 'ms', of: (one) => one.cpuMs, most: 1 },
    { name: `program, resident after the start, ${services} x 10`, unit: 'MiB', of: (one) => one.rssMiB },
    { name: `program, endpoint replaced at ${services}, API request to kernel, p50`, unit: 'ms', of: (one) => one.changeMs, floor: eventMs, most: 1 },
    { name: `program, endpoint replaced at ${services}, CPU each`, unit: 'ms', of: (one) => one.changeCpuMs, most: 1 },
    { name: `program, first packet with ${services} Services, to a direct one, p50`, unit: 'x', of: (one) => one.connectUs.service / one.connectUs.direct, most: 1.1 },
  ];
  return lines.map(({ name, unit, of, floor, most }) => {
    const value = of(ours);
    const against = peer === undefined ? undefined : of(peer);
    const ratio = against === undefined ? undefined : value / against;
    return {
      name, value: rounded(value), unit, ...(floor === undefined ? {} : { floor: rounded(floor) }), ...(against === undefined || ratio === undefined ? {} : { peer: rounded(against), ratio: rounded(ratio) }),
      target: most === undefined ? 'for comparison' : `<= ${most} x kube-proxy`, ok: most === undefined || ratio === undefined || ratio <= most,
    };
  });
}
