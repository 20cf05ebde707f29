// The files of a pod that every container of it sees: /etc/hosts, /etc/resolv.conf. Pure text.
import type { Pod } from '@podwire/kube-client';

export interface Resolver {
  readonly nameservers: readonly string[];
  readonly searches: readonly string[];
  readonly options: readonly string[];
}

export interface DnsSettings {
  /** The node's own resolv.conf. */
  readonly node: Resolver;
  readonly clusterDns: readonly string[];
  readonly clusterDomain: string;
}

/** resolv.conf(5), as far as a pod inherits it. */
export function parseResolvConf(text: string): Resolver {
  const nameservers: string[] = [];
  let searches: string[] = [];
  let options: string[] = [];
  for (const line of text.split('\n')) {
    const [keyword, ...words] = line.trim().split(/\s+/u);
    if (keyword === 'nameserver' && words[0] !== undefined) nameservers.push(words[0]);
    else if (keyword === 'search' || keyword === 'domain') searches = words;
    else if (keyword === 'options') options = words;
  }
  return { nameservers, searches, options };
}

/** What the pod's resolv.conf holds, by its dnsPolicy and dnsConfig. */
export function podResolver(pod: Pod, settings: DnsSettings): Resolver {
  const policy = pod.spec?.dnsPolicy ?? 'ClusterFirst';
  const cluster = (policy === 'ClusterFirst' && pod.spec?.hostNetwork !== true) || policy === 'ClusterFirstWithHostNet';
  const namespace = pod.metadata?.namespace ?? 'default';
  let base: Resolver = settings.node;
  if (policy === 'None') base = { nameservers: [], searches: [], options: [] };
  else if (cluster && settings.clusterDns.length > 0) {
    const domain = settings.clusterDomain;
    base = { nameservers: settings.clusterDns, searches: [`${namespace}.svc.${domain}`, `svc.${domain}`, domain, ...settings.node.searches], options: ['ndots:5'] };
  }
  const extra = pod.spec?.dnsConfig;
  if (extra === undefined) return base;
  const options = new Map(base.options.map((option) => [option.split(':')[0] ?? option, option]));
  for (const option of extra.options ?? []) if (option.name !== undefined) options.set(option.name, option.value === undefined ? option.name : `${option.name}:${option.value}`);
  return {
    nameservers: [...new Set([...base.nameservers, ...(extra.nameservers ?? [])])].slice(0, 3),
    searches: [...new Set([...base.searches, ...(extra.searches ?? [])])].slice(0, 32),
    options: [...options.values()],
  };
}

export function resolvConfText(resolver: Resolver): string {
  return [
    ...(resolver.searches.length === 0 ? [] : [`search ${resolver.searches.join(' ')}`]),
    ...resolver.nameservers.map((server) => `nameserver ${server}`),
    ...(resolver.options.length === 0 ? [] : [`options ${resolver.options.join(' ')}`]),
    '',
  ].join('\n');
}

export function podHostname(pod: Pod, nodeName: string): string {
  if (pod.spec?.hostNetwork === true) return nodeName;
  return (pod.spec?.hostname ?? pod.metadata?.name ?? '').slice(0, 63).replace(/[-.]+$/u, '');
}

export function hostsText(pod: Pod, hostname: string, ips: readonly string[], clusterDomain: string): string {
  const subdomain = pod.spec?.subdomain;
  const qualified = subdomain === undefined || subdomain === '' ? undefined : `${hostname}.${subdomain}.${pod.metadata?.namespace ?? 'default'}.svc.${clusterDomain}`;
  return [
    '# Written by podwire for this pod.',
    '127.0.0.1\tlocalhost',
    '::1\tlocalhost ip6-localhost ip6-loopback',
    'fe00::0\tip6-localnet',
    'fe00::0\tip6-mcastprefix',
    'fe00::1\tip6-allnodes',
    'fe00::2\tip6-allrouters',
    ...ips.map((ip) => [ip, ...(qualified === undefined ? [] : [qualified]), hostname].join('\t')),
    ...(pod.spec?.hostAliases ?? []).map((alias) => [alias.ip ?? '', ...(alias.hostnames ?? [])].join('\t')),
    '',
  ].join('\n');
}
