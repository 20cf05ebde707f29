// The IPv4 networks that the machine can already reach: the underlay must be none of them.
import { run } from '../processes/run.ts';
import { routeRange } from '../state/subnets.ts';
import type { Range } from '../state/subnets.ts';

/** ip -json -4 route show table all, without the routes over `ownDevice`. */
export async function machineRoutes(ownDevice: string): Promise<readonly Range[]> {
  const routes = JSON.parse((await run(['/usr/sbin/ip', '-json', '-4', 'route', 'show', 'table', 'all'])) || '[]') as { readonly dst: string; readonly dev?: string }[];
  return routes.filter(({ dev }) => dev !== ownDevice).flatMap(({ dst }) => routeRange(dst) ?? []);
}
