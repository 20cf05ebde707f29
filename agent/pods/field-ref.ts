// The downward API: what a pod may ask about itself, by environment variable or by file. Pure.
import { milliValue, parseQuantity } from '@podwire/kube-client';
import type { Container, Pod } from '@podwire/kube-client';

export interface NodeFacts {
  readonly name: string;
  readonly hostIPs: readonly string[];
  readonly podIPs: readonly string[];
  readonly allocatableCpu: number;
  readonly allocatableMemory: number;
}

/** A map as the downward API writes it: one `key="value"` a line, sorted. */
function lines(map: Readonly<Record<string, string>> | undefined): string {
  return Object.entries(map ?? {}).sort(([a], [b]) => (a < b ? -1 : 1)).map(([key, value]) => `${key}=${JSON.stringify(value)}`).join('\n');
}

/** Value of a fieldRef. Throws a RangeError that names a path which does not exist. */
export function fieldValue(pod: Pod, path: string, node: NodeFacts): string {
  const subscript = /^metadata\.(labels|annotations)\['(.+)'\]$/u.exec(path);
  if (subscript?.[1] !== undefined && subscript[2] !== undefined) return (subscript[1] === 'labels' ? pod.metadata?.labels : pod.metadata?.annotations)?.[subscript[2]] ?? '';
  switch (path) {
    case 'metadata.name': return pod.metadata?.name ?? '';
    case 'metadata.namespace': return pod.metadata?.namespace ?? '';
    case 'metadata.uid': return pod.metadata?.uid ?? '';
    case 'metadata.labels': return lines(pod.metadata?.labels);
    case 'metadata.annotations': return lines(pod.metadata?.annotations);
    case 'spec.nodeName': return node.name;
    case 'spec.serviceAccountName': return pod.spec?.serviceAccountName ?? 'default';
    case 'status.hostIP': return node.hostIPs[0] ?? '';
    case 'status.hostIPs': return node.hostIPs.join(',');
    case 'status.podIP': return node.podIPs[0] ?? '';
    case 'status.podIPs': return node.podIPs.join(',');
    default: throw new RangeError(`fieldPath "${path}" is not one that the downward API has`);
  }
}

/** Value of a resourceFieldRef: limits default to what the node has. */
export function resourceValue(container: Container, resource: string, divisor: string | undefined, node: NodeFacts): string {
  const [list, name] = [resource.slice(0, resource.indexOf('.')), resource.slice(resource.indexOf('.') + 1)];
  const amounts = list === 'limits' ? container.resources?.limits : list === 'requests' ? container.resources?.requests : undefined;
  if (list !== 'limits' && list !== 'requests') throw new RangeError(`resource "${resource}" must begin with limits. or requests.`);
  const fallback = list === 'requests' ? '0' : name === 'cpu' ? String(node.allocatableCpu) : name === 'memory' ? String(node.allocatableMemory) : '0';
  const by = divisor === undefined || divisor === '' || divisor === '0' ? '1' : divisor;
  const text = amounts?.[name] ?? fallback;
  return String(name === 'cpu' ? Math.ceil(milliValue(text) / milliValue(by)) : Math.ceil(parseQuantity(text) / parseQuantity(by)));
}
