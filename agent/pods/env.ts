// A container's environment: Service variables, envFrom, env, in that order, later ones winning. Pure.
import type { ConfigMap, Container, Pod, Secret, Service } from '@podwire/kube-client';
import { expandVariables } from './expand.ts';
import { fieldValue, resourceValue } from './field-ref.ts';
import type { NodeFacts } from './field-ref.ts';

/** The objects a pod refers to, as far as they exist. */
export interface Sources {
  readonly configMaps: ReadonlyMap<string, ConfigMap>;
  readonly secrets: ReadonlyMap<string, Secret>;
  readonly services: readonly Service[];
}

/** A container that cannot be made because something it refers to is missing. The pod waits with this reason. */
export class ContainerConfigError extends Error {
  override readonly name = 'ContainerConfigError';
  readonly code = 'CreateContainerConfigError';
}

/** Names of ConfigMaps and Secrets that the pod's containers take their environment from. */
export function envSources(containers: readonly Container[]): { configMaps: Set<string>; secrets: Set<string> } {
  const configMaps = new Set<string>();
  const secrets = new Set<string>();
  const add = (set: Set<string>, name: string | undefined): void => {
    if (name !== undefined && name !== '') set.add(name);
  };
  for (const container of containers) {
    for (const from of container.envFrom ?? []) {
      add(configMaps, from.configMapRef?.name);
      add(secrets, from.secretRef?.name);
    }
    for (const variable of container.env ?? []) {
      add(configMaps, variable.valueFrom?.configMapKeyRef?.name);
      add(secrets, variable.valueFrom?.secretKeyRef?.name);
    }
  }
  return { configMaps, secrets };
}

export function secretText(secret: Secret, key: string): string | undefined {
  const encoded = secret.data?.[key];
  return encoded === undefined ? undefined : Buffer.from(encoded, 'base64').toString('utf8');
}

/** Docker-link style variables of the Services that exist when the container starts: those of its namespace, and the API server's. */
export function serviceVariables(services: readonly Service[], namespace: string, enabled: boolean): Map<string, string> {
  const variables = new Map<string, string>();
  for (const service of services) {
    const { clusterIP, ports = [] } = service.spec ?? {};
    const master = service.metadata?.namespace === 'default' && service.metadata.name === 'kubernetes';
    if (clusterIP === undefined || clusterIP === '' || clusterIP === 'None') continue;
    if (!master && (!enabled || service.metadata?.namespace !== namespace)) continue;
    const prefix = (service.metadata?.name ?? '').toUpperCase().replaceAll('-', '_');
    const first = ports[0];
    if (first === undefined) continue;
    const host = clusterIP.includes(':') ? `[${clusterIP}]` : clusterIP;
    variables.set(`${prefix}_SERVICE_HOST`, clusterIP);
    variables.set(`${prefix}_SERVICE_PORT`, String(first.port));
    for (const port of ports) if (port.name !== undefined && port.name !== '') variables.set(`${prefix}_SERVICE_PORT_${port.name.toUpperCase().replaceAll('-', '_')}`, String(port.port));
    for (const [index, port] of ports.entries()) {
      const protocol = (port.protocol ?? 'TCP').toLowerCase();
      const url = `${protocol}://${host}:${port.port}`;
      const stem = `${prefix}_PORT_${port.port}_${protocol.toUpperCase()}`;
      if (index === 0) variables.set(`${prefix}_PORT`, url);
      variables.set(stem, url);
      variables.set(`${stem}_PROTO`, protocol);
      variables.set(`${stem}_PORT`, String(port.port));
      variables.set(`${stem}_ADDR`, clusterIP);
    }
  }
  return variables;
}

export function containerEnv(pod: Pod, container: Container, sources: Sources, node: NodeFacts): Map<string, string> {
  const result = new Map<string, string>();
  const namespace = pod.metadata?.namespace ?? 'default';
  for (const from of container.envFrom ?? []) for (const [key, value] of fromSource(from, sources, namespace)) result.set(`${from.prefix ?? ''}${key}`, value);
  const service = serviceVariables(sources.services, namespace, pod.spec?.enableServiceLinks ?? true);
  // A reference may name a variable defined before it, or a Service variable.
  const known = new Map([...service, ...result]);
  for (const variable of container.env ?? []) {
    const value = variable.valueFrom === undefined ? expandVariables(variable.value ?? '', known) : referred(variable.name, variable.valueFrom, pod, container, sources, node);
    if (value === undefined) continue;
    result.set(variable.name, value);
    known.set(variable.name, value);
  }
  for (const [name, value] of service) if (!result.has(name)) result.set(name, value);
  return result;
}

type EnvFrom = NonNullable<Container['envFrom']>[number];
type ValueFrom = NonNullable<NonNullable<Container['env']>[number]['valueFrom']>;

function fromSource(from: EnvFrom, sources: Sources, namespace: string): [string, string][] {
  if (from.configMapRef !== undefined) {
    const name = from.configMapRef.name ?? '';
    const found = sources.configMaps.get(name);
    if (found === undefined && from.configMapRef.optional !== true) throw new ContainerConfigError(`configmap "${name}" not found in namespace ${namespace}`);
    return Object.entries(found?.data ?? {});
  }
  const name = from.secretRef?.name ?? '';
  const found = sources.secrets.get(name);
  if (found === undefined && from.secretRef?.optional !== true) throw new ContainerConfigError(`secret "${name}" not found in namespace ${namespace}`);
  return Object.keys(found?.data ?? {}).map((key) => [key, found === undefined ? '' : (secretText(found, key) ?? '')]);
}

function referred(variable: string, from: ValueFrom, pod: Pod, container: Container, sources: Sources, node: NodeFacts): string | undefined {
  try {
    if (from.fieldRef !== undefined) return fieldValue(pod, from.fieldRef.fieldPath, node);
    if (from.resourceFieldRef !== undefined) {
      const { containerName, resource, divisor } = from.resourceFieldRef;
      const whose = containerName === undefined || containerName === '' ? container : [...(pod.spec?.containers ?? []), ...(pod.spec?.initContainers ?? [])].find((one) => one.name === containerName);
      return resourceValue(whose ?? container, resource, divisor, node);
    }
  } catch (error) {
    throw new ContainerConfigError(`env ${variable}: ${error instanceof Error ? error.message : String(error)}`, { cause: error });
  }
  const [kind, reference, value] = from.configMapKeyRef !== undefined
    ? ['configmap', from.configMapKeyRef, sources.configMaps.get(from.configMapKeyRef.name ?? '')?.data?.[from.configMapKeyRef.key]] as const
    : ['secret', from.secretKeyRef, keyOfSecret(sources, from.secretKeyRef?.name, from.secretKeyRef?.key)] as const;
  if (value !== undefined || reference === undefined || reference.optional === true) return value;
  const exists = kind === 'configmap' ? sources.configMaps.has(reference.name ?? '') : sources.secrets.has(reference.name ?? '');
  throw new ContainerConfigError(exists ? `couldn't find key ${reference.key} in ${kind} ${pod.metadata?.namespace ?? ''}/${reference.name ?? ''}` : `${kind} "${reference.name ?? ''}" not found`);
}

function keyOfSecret(sources: Sources, name: string | undefined, key: string | undefined): string | undefined {
  const secret = sources.secrets.get(name ?? '');
  return secret === undefined || key === undefined ? undefined : secretText(secret, key);
}
