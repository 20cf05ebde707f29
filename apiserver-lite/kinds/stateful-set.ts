import type { StatefulSet } from 'kubernetes-types/apps/v1.js';
import { defineResource } from '../registry/definition.ts';
import { forbidden, invalid } from '../registry/field-error.ts';
import { ageColumn, containersColumn, imagesColumn, nameColumn, rawColumn } from './common/columns.ts';
import { Faults, sameJson } from './common/faults.ts';
import { checkIntOrPercent } from './common/int-or-percent.ts';
import { checkSelector } from './common/labels.ts';
import type { Loose } from './common/loose.ts';
import { setDefault } from './common/loose.ts';
import { defaultPodTemplate } from './common/pod-defaults.ts';
import { checkSelectorMatchesTemplate } from './common/pod-update.ts';
import { checkPodTemplate } from './common/pod-validation.ts';

type LooseSet = Loose<StatefulSet>;
const MUTABLE = ['replicas', 'ordinals', 'template', 'updateStrategy', 'revisionHistoryLimit', 'persistentVolumeClaimRetentionPolicy', 'minReadySeconds'] as const;

export const statefulSet = defineResource<LooseSet>({
  group: 'apps', version: 'v1', kind: 'StatefulSet', plural: 'statefulsets', singular: 'statefulset', shortNames: ['sts'], categories: ['all'],
  namespaced: true,
  schema: 'io.k8s.api.apps.v1.StatefulSet',
  subresources: { status: true, scale: { specReplicas: '.spec.replicas', statusReplicas: '.status.replicas', labelSelector: '.spec.selector' } },
  columns: [
    nameColumn,
    rawColumn('Ready', (object) => `${object.status?.readyReplicas ?? 0}/${object.spec?.replicas ?? 0}`),
    ageColumn, containersColumn, imagesColumn,
  ],
  defaults: ({ spec }) => {
    if (spec === undefined) return;
    setDefault(spec, 'replicas', 1);
    setDefault(spec, 'revisionHistoryLimit', 10);
    setDefault(spec, 'podManagementPolicy', 'OrderedReady');
    const strategy = setDefault(spec, 'updateStrategy', {});
    if (setDefault(strategy, 'type', 'RollingUpdate') === 'RollingUpdate') setDefault(setDefault(strategy, 'rollingUpdate', {}), 'partition', 0);
    const retention = setDefault(spec, 'persistentVolumeClaimRetentionPolicy', {});
    setDefault(retention, 'whenDeleted', 'Retain');
    setDefault(retention, 'whenScaled', 'Retain');
    defaultPodTemplate(spec.template);
    for (const claim of spec.volumeClaimTemplates ?? []) {
      claim.apiVersion = 'v1';
      claim.kind = 'PersistentVolumeClaim';
      if (claim.spec !== undefined) setDefault(claim.spec, 'volumeMode', 'Filesystem');
      claim.status ??= { phase: 'Pending' };
    }
  },
  prepareCreate: (object) => {
    object.status = { replicas: 0, availableReplicas: 0 };
  },
  validate: (object, { old, subresource }) => {
    const faults = new Faults();
    if (subresource === 'status') return faults.list;
    const spec = object.spec ?? {};
    faults.nonNegative('spec.replicas', spec.replicas);
    faults.nonNegative('spec.minReadySeconds', spec.minReadySeconds);
    faults.nonNegative('spec.revisionHistoryLimit', spec.revisionHistoryLimit);
    faults.oneOf('spec.podManagementPolicy', spec.podManagementPolicy, ['OrderedReady', 'Parallel']);
    faults.oneOf('spec.updateStrategy.type', spec.updateStrategy?.type, ['RollingUpdate', 'OnDelete']);
    const rolling = spec.updateStrategy?.rollingUpdate;
    if (spec.updateStrategy?.type === 'OnDelete' && rolling !== undefined) faults.add(invalid('spec.updateStrategy.rollingUpdate', rolling, "only allowed for updateStrategy 'RollingUpdate'"));
    faults.nonNegative('spec.updateStrategy.rollingUpdate.partition', rolling?.partition);
    checkIntOrPercent(faults, 'spec.updateStrategy.rollingUpdate.maxUnavailable', rolling?.maxUnavailable, 100);
    checkSelector(faults, 'spec.selector', spec.selector);
    checkSelectorMatchesTemplate(faults, object);
    checkPodTemplate(faults, 'spec.template', withClaims(spec), ['Always']);
    if (old !== undefined && !sameJson(fixedPart(spec), fixedPart(old.spec ?? {}))) {
      faults.add(forbidden('spec', "updates to statefulset spec for fields other than 'replicas', 'ordinals', 'template', 'updateStrategy', 'revisionHistoryLimit', 'persistentVolumeClaimRetentionPolicy' and 'minReadySeconds' are forbidden"));
    }
    return faults.list;
  },
});

type Spec = NonNullable<LooseSet['spec']>;

/** Mounts may name a claim template: its volume comes when the pod is made. */
function withClaims(spec: Spec): Spec['template'] {
  const claims = (spec.volumeClaimTemplates ?? []).map((claim) => ({ name: claim.metadata?.name, emptyDir: {} }));
  const own = new Set(claims.map((claim) => claim.name));
  const volumes = [...(spec.template?.spec?.volumes ?? []).filter((volume) => !own.has(volume.name)), ...claims];
  return spec.template === undefined ? undefined : { ...spec.template, spec: { ...spec.template.spec, volumes } };
}

function fixedPart(spec: Spec): object {
  const copy = { ...spec, volumeClaimTemplates: (spec.volumeClaimTemplates ?? []).map(({ status: _, ...claim }) => claim) };
  for (const key of MUTABLE) Reflect.deleteProperty(copy, key);
  return copy;
}
