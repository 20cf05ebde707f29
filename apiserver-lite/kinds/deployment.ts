import type { Deployment } from 'kubernetes-types/apps/v1.js';
import { defineResource } from '../registry/definition.ts';
import type { ValidationContext } from '../registry/definition.ts';
import { forbidden, invalid, notSupported } from '../registry/field-error.ts';
import type { FieldError } from '../registry/field-error.ts';
import { ageColumn, containersColumn, imagesColumn, nameColumn, numberColumn, rawColumn, selectorColumn } from './common/columns.ts';
import { Faults } from './common/faults.ts';
import { checkSelector } from './common/labels.ts';
import type { Loose } from './common/loose.ts';
import { setDefault } from './common/loose.ts';
import { defaultPodTemplate } from './common/pod-defaults.ts';
import { checkSelectorMatchesTemplate } from './common/pod-update.ts';
import { checkPodTemplate } from './common/pod-validation.ts';
import { checkIntOrPercent, isZero } from './common/int-or-percent.ts';

type LooseDeployment = Loose<Deployment>;

export const deployment = defineResource<LooseDeployment>({
  group: 'apps', version: 'v1', kind: 'Deployment', plural: 'deployments', singular: 'deployment', shortNames: ['deploy'], categories: ['all'],
  namespaced: true,
  schema: 'io.k8s.api.apps.v1.Deployment',
  subresources: { status: true, scale: { specReplicas: '.spec.replicas', statusReplicas: '.status.replicas', labelSelector: '.spec.selector' } },
  columns: [
    nameColumn,
    rawColumn('Ready', (object) => `${object.status?.readyReplicas ?? 0}/${object.spec?.replicas ?? 0}`),
    numberColumn('Up-to-date', (object) => object.status?.updatedReplicas),
    numberColumn('Available', (object) => object.status?.availableReplicas),
    ageColumn, containersColumn, imagesColumn, selectorColumn,
  ],
  defaults: ({ spec }) => {
    if (spec === undefined) return;
    setDefault(spec, 'replicas', 1);
    setDefault(spec, 'revisionHistoryLimit', 10);
    setDefault(spec, 'progressDeadlineSeconds', 600);
    const strategy = setDefault(spec, 'strategy', {});
    if (setDefault(strategy, 'type', 'RollingUpdate') === 'RollingUpdate') {
      const rolling = setDefault(strategy, 'rollingUpdate', {});
      setDefault(rolling, 'maxUnavailable', '25%');
      setDefault(rolling, 'maxSurge', '25%');
    }
    defaultPodTemplate(spec.template);
  },
  validate: validateDeployment,
});

function validateDeployment(object: LooseDeployment, context: ValidationContext<LooseDeployment>): FieldError[] {
  const faults = new Faults();
  if (context.subresource === 'status') return faults.list;
  const spec = object.spec ?? {};
  faults.nonNegative('spec.replicas', spec.replicas);
  faults.nonNegative('spec.minReadySeconds', spec.minReadySeconds);
  faults.nonNegative('spec.revisionHistoryLimit', spec.revisionHistoryLimit);
  checkSelector(faults, 'spec.selector', spec.selector);
  checkSelectorMatchesTemplate(faults, object);
  checkPodTemplate(faults, 'spec.template', spec.template, ['Always']);
  checkStrategy(faults, spec.strategy ?? {});
  if (spec.progressDeadlineSeconds !== undefined) {
    faults.nonNegative('spec.progressDeadlineSeconds', spec.progressDeadlineSeconds);
    if (spec.progressDeadlineSeconds <= (spec.minReadySeconds ?? 0)) {
      faults.add(invalid('spec.progressDeadlineSeconds', spec.progressDeadlineSeconds, 'must be greater than minReadySeconds'));
    }
  }
  if (context.old !== undefined) faults.immutable('spec.selector', spec.selector, context.old.spec?.selector);
  return faults.list;
}

type Strategy = NonNullable<NonNullable<LooseDeployment['spec']>['strategy']>;

function checkStrategy(faults: Faults, strategy: Strategy): void {
  const at = 'spec.strategy';
  if (strategy.type === 'Recreate') {
    if (strategy.rollingUpdate !== undefined) faults.add(forbidden(`${at}.rollingUpdate`, "may not be specified when strategy `type` is 'Recreate'"));
    return;
  }
  if (strategy.type !== 'RollingUpdate') {
    faults.add(notSupported(`${at}.type`, strategy.type, ['Recreate', 'RollingUpdate']));
    return;
  }
  const { maxSurge, maxUnavailable } = strategy.rollingUpdate ?? {};
  checkIntOrPercent(faults, `${at}.rollingUpdate.maxSurge`, maxSurge);
  checkIntOrPercent(faults, `${at}.rollingUpdate.maxUnavailable`, maxUnavailable, 100);
  if (isZero(maxSurge) && isZero(maxUnavailable)) {
    faults.add(invalid(`${at}.rollingUpdate.maxUnavailable`, maxUnavailable, 'may not be 0 when `maxSurge` is 0'));
  }
}
