import type { PodSpec, PodTemplateSpec, Toleration, Volume } from 'kubernetes-types/core/v1.js';
import { dnsLabelFaults, dnsSubdomainFaults, labelValueFaults, qualifiedNameFaults } from '../../conventions/names.ts';
import { duplicate, forbidden, invalid, invalidEach, required } from '../../registry/field-error.ts';
import { checkContainer } from './container-validation.ts';
import { checkAffinity, checkTopologySpread } from './affinity-validation.ts';
import type { Faults } from './faults.ts';
import { checkLabels } from './labels.ts';
import type { Loose } from './loose.ts';

export const RESTART_POLICIES = ['Always', 'OnFailure', 'Never'];

/** Everything about a pod's spec that a user can get wrong. `restartPolicies` is what the owner of a template allows. */
export function checkPodSpec(faults: Faults, path: string, spec: Loose<PodSpec> | undefined, restartPolicies: readonly string[] = RESTART_POLICIES): void {
  if (spec === undefined) {
    faults.add(required(path));
    return;
  }
  const volumes = checkVolumes(faults, `${path}.volumes`, spec.volumes ?? []);
  checkContainers(faults, path, spec, volumes);
  faults.oneOf(`${path}.restartPolicy`, spec.restartPolicy, restartPolicies);
  faults.oneOf(`${path}.dnsPolicy`, spec.dnsPolicy, ['ClusterFirstWithHostNet', 'ClusterFirst', 'Default', 'None']);
  if (spec.dnsPolicy === 'None' && (spec.dnsConfig?.nameservers ?? []).length === 0) {
    faults.add(required(`${path}.dnsConfig.nameservers`, 'must provide at least one DNS nameserver when `dnsPolicy` is None'));
  }
  checkLabels(faults, `${path}.nodeSelector`, spec.nodeSelector);
  checkAffinity(faults, `${path}.affinity`, spec.affinity);
  checkTopologySpread(faults, `${path}.topologySpreadConstraints`, spec.topologySpreadConstraints ?? []);
  spec.tolerations?.forEach((toleration, index) => checkToleration(faults, `${path}.tolerations[${index}]`, toleration));
  faults.nonNegative(`${path}.terminationGracePeriodSeconds`, spec.terminationGracePeriodSeconds);
  if (spec.activeDeadlineSeconds !== undefined && spec.activeDeadlineSeconds < 1) {
    faults.add(invalid(`${path}.activeDeadlineSeconds`, spec.activeDeadlineSeconds, 'must be between 1 and 2147483647, inclusive'));
  }
  for (const [key, rule] of [['hostname', dnsLabelFaults], ['subdomain', dnsLabelFaults], ['nodeName', dnsSubdomainFaults], ['serviceAccountName', dnsSubdomainFaults], ['priorityClassName', dnsSubdomainFaults], ['runtimeClassName', dnsSubdomainFaults]] as const) {
    const value = spec[key];
    if (value !== undefined && value !== '') faults.name(`${path}.${key}`, value, rule);
  }
  spec.schedulingGates?.forEach((gate, index) => faults.name(`${path}.schedulingGates[${index}]`, gate.name, qualifiedNameFaults));
  spec.readinessGates?.forEach((gate, index) => faults.name(`${path}.readinessGates[${index}].conditionType`, gate.conditionType, qualifiedNameFaults));
}

function checkContainers(faults: Faults, path: string, spec: Loose<PodSpec>, volumes: ReadonlySet<string>): void {
  const containers = spec.containers ?? [];
  if (containers.length === 0) faults.add(required(`${path}.containers`));
  const names = new Set<string>();
  const hostPorts = new Set<string>();
  const groups = [['initContainers', 'init', spec.initContainers ?? []], ['containers', 'container', containers], ['ephemeralContainers', 'ephemeral', spec.ephemeralContainers ?? []]] as const;
  for (const [field, role, list] of groups) {
    list.forEach((container, index) => {
      const at = `${path}.${field}[${index}]`;
      checkContainer(faults, at, container, role, volumes);
      const name = container.name ?? '';
      if (name !== '' && names.has(name)) faults.add(duplicate(`${at}.name`, name));
      names.add(name);
      if (role !== 'container') return;
      container.ports?.forEach((port, portIndex) => {
        if (port.hostPort === undefined || port.hostPort === 0) return;
        const key = `${port.hostPort}/${port.protocol ?? 'TCP'}/${port.hostIP ?? ''}`;
        if (hostPorts.has(key)) faults.add(duplicate(`${at}.ports[${portIndex}].hostPort`, `${port.hostPort}/${port.protocol ?? 'TCP'}`));
        hostPorts.add(key);
        if (spec.hostNetwork === true && port.hostPort !== port.containerPort) {
          faults.add(invalid(`${at}.ports[${portIndex}].hostPort`, port.hostPort, 'must match `containerPort` when `hostNetwork` is true'));
        }
      });
    });
  }
}

function checkVolumes(faults: Faults, path: string, volumes: readonly Loose<Volume>[]): Set<string> {
  const names = new Set<string>();
  volumes.forEach((volume, index) => {
    const at = `${path}[${index}]`;
    faults.name(`${at}.name`, volume.name, dnsLabelFaults);
    if (volume.name !== undefined && names.has(volume.name)) faults.add(duplicate(`${at}.name`, volume.name));
    names.add(volume.name ?? '');
    const sources = Object.entries(volume).filter(([key, value]) => key !== 'name' && value !== undefined);
    if (sources.length === 0) faults.add(required(at, 'must specify a volume type'));
    for (const [extra] of sources.slice(1)) faults.add(forbidden(`${at}.${extra}`, 'may not specify more than 1 volume type'));
    if (volume.hostPath !== undefined) {
      faults.required(`${at}.hostPath.path`, volume.hostPath.path);
      if (volume.hostPath.path?.split('/').includes('..') === true) faults.add(invalid(`${at}.hostPath.path`, volume.hostPath.path, "must not contain '..'"));
      faults.oneOf(`${at}.hostPath.type`, volume.hostPath.type, ['', 'DirectoryOrCreate', 'Directory', 'FileOrCreate', 'File', 'Socket', 'CharDevice', 'BlockDevice']);
    }
    if (volume.configMap !== undefined) faults.required(`${at}.configMap.name`, volume.configMap.name);
    if (volume.secret !== undefined) faults.required(`${at}.secret.secretName`, volume.secret.secretName);
    if (volume.persistentVolumeClaim !== undefined) faults.required(`${at}.persistentVolumeClaim.claimName`, volume.persistentVolumeClaim.claimName);
  });
  return names;
}

const EFFECTS = ['NoSchedule', 'PreferNoSchedule', 'NoExecute'];

function checkToleration(faults: Faults, path: string, toleration: Loose<Toleration>): void {
  const { key = '', value = '', operator = 'Equal', effect = '', tolerationSeconds } = toleration;
  if (key !== '') faults.name(`${path}.key`, key, qualifiedNameFaults);
  if (key === '' && operator !== 'Exists') faults.add(invalid(`${path}.operator`, operator, 'operator must be Exists when `key` is empty, which means "match all values and all keys"'));
  if (tolerationSeconds !== undefined && effect !== 'NoExecute') faults.add(invalid(`${path}.effect`, effect, "effect must be 'NoExecute' when `tolerationSeconds` is set"));
  if (operator === 'Exists' && value !== '') faults.add(invalid(`${path}.operator`, { ...toleration }, 'value must be empty when `operator` is \'Exists\''));
  if (operator === 'Equal') faults.add(...invalidEach(`${path}.operator`, value, labelValueFaults(value)));
  faults.oneOf(`${path}.operator`, operator, ['Equal', 'Exists']);
  if (effect !== '') faults.oneOf(`${path}.effect`, effect, EFFECTS);
}

/** A pod template: labels, annotations, spec. */
export function checkPodTemplate(faults: Faults, path: string, template: Loose<PodTemplateSpec> | undefined, restartPolicies?: readonly string[]): void {
  checkLabels(faults, `${path}.metadata.labels`, template?.metadata?.labels);
  for (const key of Object.keys(template?.metadata?.annotations ?? {})) {
    faults.add(...invalidEach(`${path}.metadata.annotations`, key, qualifiedNameFaults(key.toLowerCase())));
  }
  checkPodSpec(faults, `${path}.spec`, template?.spec, restartPolicies);
  if ((template?.spec?.ephemeralContainers ?? []).length > 0) {
    faults.add(forbidden(`${path}.spec.ephemeralContainers`, 'ephemeral containers not allowed in pod template'));
  }
}
