import type { Container, ContainerPort, EnvVar, EphemeralContainer, HTTPGetAction, Lifecycle, Probe } from 'kubernetes-types/core/v1.js';
import { dnsLabelFaults, envNameFaults, portNameFaults, portNumberFaults } from '../../conventions/names.ts';
import { duplicate, invalid, invalidEach, notFound, required } from '../../registry/field-error.ts';
import type { Faults } from './faults.ts';
import type { Loose } from './loose.ts';
import { checkResources } from './resources-validation.ts';

type AnyContainer = Loose<Container> & Loose<EphemeralContainer>;
export type ContainerRole = 'container' | 'init' | 'ephemeral';

export const PULL_POLICIES = ['Always', 'IfNotPresent', 'Never'];

export function checkContainer(faults: Faults, path: string, container: AnyContainer, role: ContainerRole, volumes: ReadonlySet<string>): void {
  faults.name(`${path}.name`, container.name, dnsLabelFaults);
  checkImage(faults, `${path}.image`, container.image);
  faults.oneOf(`${path}.imagePullPolicy`, container.imagePullPolicy, PULL_POLICIES);
  faults.oneOf(`${path}.terminationMessagePolicy`, container.terminationMessagePolicy, ['File', 'FallbackToLogsOnError']);
  checkPorts(faults, `${path}.ports`, container.ports ?? []);
  checkEnvironment(faults, path, container);
  checkMounts(faults, `${path}.volumeMounts`, container.volumeMounts ?? [], volumes);
  checkResources(faults, `${path}.resources`, container.resources);
  const restartable = role === 'init' && (container as { restartPolicy?: string }).restartPolicy === 'Always';
  if (role === 'container' || restartable) {
    checkProbe(faults, `${path}.livenessProbe`, container.livenessProbe, 'one');
    checkProbe(faults, `${path}.readinessProbe`, container.readinessProbe, 'any');
    checkProbe(faults, `${path}.startupProbe`, container.startupProbe, 'one');
    checkLifecycle(faults, `${path}.lifecycle`, container.lifecycle);
  } else {
    for (const key of ['livenessProbe', 'readinessProbe', 'startupProbe', 'lifecycle'] as const) {
      if (container[key] !== undefined) faults.add({ type: 'Forbidden', field: `${path}.${key}`, detail: role === 'init' ? 'may not be set for init containers without restartPolicy=Always' : 'cannot be set for an Ephemeral Container' });
    }
  }
  if (container.securityContext?.privileged === true && container.securityContext.allowPrivilegeEscalation === false) {
    faults.add(invalid(`${path}.securityContext`, container.securityContext, 'cannot set `allowPrivilegeEscalation` to false and `privileged` to true'));
  }
}

function checkImage(faults: Faults, field: string, image: string | undefined): void {
  if (image === undefined || image === '') faults.add(required(field));
  else if (image.trim() !== image) faults.add(invalid(field, image, 'must not have leading or trailing whitespace'));
}

function checkPorts(faults: Faults, path: string, ports: readonly Loose<ContainerPort>[]): void {
  faults.unique((index) => `${path}[${index}].name`, ports, (port) => port.name);
  ports.forEach((port, index) => {
    const at = `${path}[${index}]`;
    if (port.name !== undefined && port.name !== '') faults.add(...invalidEach(`${at}.name`, port.name, portNameFaults(port.name)));
    if (port.containerPort === undefined) faults.add(required(`${at}.containerPort`));
    else faults.add(...invalidEach(`${at}.containerPort`, port.containerPort, portNumberFaults(port.containerPort)));
    if (port.hostPort !== undefined && port.hostPort !== 0) faults.add(...invalidEach(`${at}.hostPort`, port.hostPort, portNumberFaults(port.hostPort)));
    faults.oneOf(`${at}.protocol`, port.protocol, ['TCP', 'UDP', 'SCTP']);
  });
}

function checkEnvironment(faults: Faults, path: string, container: AnyContainer): void {
  container.env?.forEach((variable: Loose<EnvVar>, index: number) => {
    const at = `${path}.env[${index}]`;
    faults.name(`${at}.name`, variable.name, envNameFaults);
    const source = variable.valueFrom;
    if (source === undefined) return;
    const given = Object.keys(source);
    if (given.length === 0) faults.add(invalid(`${at}.valueFrom`, '', 'must specify one of: `fieldRef`, `resourceFieldRef`, `configMapKeyRef` or `secretKeyRef`'));
    if (given.length > 1) faults.add(invalid(`${at}.valueFrom`, '', 'may not have more than one field specified at a time'));
    if (variable.value !== undefined && variable.value !== '') faults.add(invalid(`${at}.valueFrom`, '', 'may not be specified when `value` is not empty'));
    if (source.fieldRef !== undefined) faults.required(`${at}.valueFrom.fieldRef.fieldPath`, source.fieldRef.fieldPath);
    for (const key of ['configMapKeyRef', 'secretKeyRef'] as const) {
      const reference = source[key];
      if (reference === undefined) continue;
      faults.required(`${at}.valueFrom.${key}.name`, reference.name);
      faults.required(`${at}.valueFrom.${key}.key`, reference.key);
    }
  });
  container.envFrom?.forEach((source, index) => {
    const at = `${path}.envFrom[${index}]`;
    const given = (source.configMapRef === undefined ? 0 : 1) + (source.secretRef === undefined ? 0 : 1);
    if (given === 0) faults.add(invalid(at, '', 'must specify one of: `configMapRef` or `secretRef`'));
    if (given > 1) faults.add(invalid(at, '', 'may not have more than one field specified at a time'));
    faults.required(`${at}.${source.configMapRef === undefined ? 'secretRef' : 'configMapRef'}.name`, (source.configMapRef ?? source.secretRef ?? { name: 'x' }).name);
  });
}

type Mount = { name?: string | undefined; mountPath?: string | undefined; subPath?: string | undefined };

function checkMounts(faults: Faults, path: string, mounts: readonly Mount[], volumes: ReadonlySet<string>): void {
  const paths = new Set<string>();
  mounts.forEach(({ name, mountPath, subPath }, index) => {
    const at = `${path}[${index}]`;
    if (name === undefined || name === '') faults.add(required(`${at}.name`));
    else if (!volumes.has(name)) faults.add(notFound(`${at}.name`, name));
    if (mountPath === undefined || mountPath === '') faults.add(required(`${at}.mountPath`));
    else if (paths.has(mountPath)) faults.add({ ...duplicate(`${at}.mountPath`, mountPath), type: 'Invalid', detail: 'must be unique' });
    paths.add(mountPath ?? '');
    if (subPath?.startsWith('/') === true) faults.add(invalid(`${at}.subPath`, subPath, 'must be a relative path'));
    if (subPath?.split('/').includes('..') === true) faults.add(invalid(`${at}.subPath`, subPath, "must not contain '..'"));
  });
}

const ACTIONS = ['exec', 'httpGet', 'tcpSocket', 'grpc', 'sleep'] as const;

/** A probe or hook must have exactly one action. */
function checkAction(faults: Faults, path: string, action: Readonly<Record<string, unknown>>): void {
  const given = ACTIONS.filter((name) => action[name] !== undefined);
  if (given.length === 0) faults.add(required(path, 'must specify a handler type'));
  for (const extra of given.slice(1)) faults.add({ type: 'Forbidden', field: `${path}.${extra}`, detail: 'may not specify more than 1 handler type' });
  const http = action['httpGet'] as Loose<HTTPGetAction> | undefined;
  const port = http?.port ?? (action['tcpSocket'] as { port?: number | string } | undefined)?.port ?? (action['grpc'] as { port?: number } | undefined)?.port;
  const which = given.find((name) => name === 'httpGet' || name === 'tcpSocket' || name === 'grpc');
  if (which !== undefined) checkPortReference(faults, `${path}.${which}.port`, port);
  if (http !== undefined) faults.oneOf(`${path}.httpGet.scheme`, http.scheme, ['HTTP', 'HTTPS']);
  const exec = action['exec'] as { command?: string[] } | undefined;
  if (exec !== undefined && (exec.command ?? []).length === 0) faults.add(required(`${path}.exec.command`));
}

export function checkPortReference(faults: Faults, field: string, port: number | string | undefined): void {
  if (port === undefined) faults.add(required(field));
  else faults.add(...invalidEach(field, port, typeof port === 'number' ? portNumberFaults(port) : portNameFaults(port)));
}

function checkProbe(faults: Faults, path: string, probe: Loose<Probe> | undefined, success: 'one' | 'any'): void {
  if (probe === undefined) return;
  checkAction(faults, path, probe);
  for (const key of ['initialDelaySeconds', 'timeoutSeconds', 'periodSeconds', 'successThreshold', 'failureThreshold'] as const) faults.nonNegative(`${path}.${key}`, probe[key]);
  if (success === 'one' && (probe.successThreshold ?? 1) !== 1) faults.add(invalid(`${path}.successThreshold`, probe.successThreshold, 'must be 1'));
}

function checkLifecycle(faults: Faults, path: string, lifecycle: Loose<Lifecycle> | undefined): void {
  if (lifecycle?.postStart !== undefined) checkAction(faults, `${path}.postStart`, lifecycle.postStart);
  if (lifecycle?.preStop !== undefined) checkAction(faults, `${path}.preStop`, lifecycle.preStop);
}
