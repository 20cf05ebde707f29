import type { DaemonSet } from 'kubernetes-types/apps/v1.js';
import { defineResource } from '../registry/definition.ts';
import { forbidden, invalid } from '../registry/field-error.ts';
import { ageColumn, containersColumn, imagesColumn, labelsText, nameColumn, numberColumn, rawColumn, selectorColumn } from './common/columns.ts';
import { Faults } from './common/faults.ts';
import { checkIntOrPercent, isZero } from './common/int-or-percent.ts';
import { checkSelector } from './common/labels.ts';
import type { Loose } from './common/loose.ts';
import { setDefault } from './common/loose.ts';
import { defaultPodTemplate } from './common/pod-defaults.ts';
import { checkSelectorMatchesTemplate } from './common/pod-update.ts';
import { checkPodTemplate } from './common/pod-validation.ts';

export const daemonSet = defineResource<Loose<DaemonSet>>({
  group: 'apps', version: 'v1', kind: 'DaemonSet', plural: 'daemonsets', singular: 'daemonset', shortNames: ['ds'], categories: ['all'],
  namespaced: true,
  schema: 'io.k8s.api.apps.v1.DaemonSet',
  subresources: { status: true },
  columns: [
    nameColumn,
    numberColumn('Desired', (object) => object.status?.desiredNumberScheduled),
    numberColumn('Current', (object) => object.status?.currentNumberScheduled),
    numberColumn('Ready', (object) => object.status?.numberReady),
    numberColumn('Up-to-date', (object) => object.status?.updatedNumberScheduled),
    numberColumn('Available', (object) => object.status?.numberAvailable),
    rawColumn('Node Selector', (object) => labelsText(object.spec?.template?.spec?.nodeSelector)),
    ageColumn, containersColumn, imagesColumn, selectorColumn,
  ],
  defaults: ({ spec }) => {
    if (spec === undefined) return;
    setDefault(spec, 'revisionHistoryLimit', 10);
    const strategy = setDefault(spec, 'updateStrategy', {});
    if (setDefault(strategy, 'type', 'RollingUpdate') === 'RollingUpdate') {
      const rolling = setDefault(strategy, 'rollingUpdate', {});
      setDefault(rolling, 'maxUnavailable', 1);
      setDefault(rolling, 'maxSurge', 0);
    }
    defaultPodTemplate(spec.template);
  },
  prepareCreate: (object) => {
    object.status = { currentNumberScheduled: 0, numberMisscheduled: 0, desiredNumberScheduled: 0, numberReady: 0 };
  },
  validate: (object, { old, subresource }) => {
    const faults = new Faults();
    if (subresource === 'status') return faults.list;
    const spec = object.spec ?? {};
    faults.nonNegative('spec.minReadySeconds', spec.minReadySeconds);
    faults.nonNegative('spec.revisionHistoryLimit', spec.revisionHistoryLimit);
    checkSelector(faults, 'spec.selector', spec.selector);
    checkSelectorMatchesTemplate(faults, object);
    checkPodTemplate(faults, 'spec.template', spec.template, ['Always']);
    if (spec.template?.spec?.activeDeadlineSeconds !== undefined) faults.add(forbidden('spec.template.spec.activeDeadlineSeconds', 'activeDeadlineSeconds in DaemonSet is not supported'));
    faults.oneOf('spec.updateStrategy.type', spec.updateStrategy?.type, ['RollingUpdate', 'OnDelete']);
    const { maxSurge, maxUnavailable } = spec.updateStrategy?.rollingUpdate ?? {};
    const at = 'spec.updateStrategy.rollingUpdate';
    checkIntOrPercent(faults, `${at}.maxUnavailable`, maxUnavailable, 100);
    checkIntOrPercent(faults, `${at}.maxSurge`, maxSurge, 100);
    if (spec.updateStrategy?.type === 'RollingUpdate') {
      if (isZero(maxUnavailable) && isZero(maxSurge)) faults.add(invalid(`${at}.maxUnavailable`, maxUnavailable, 'cannot be 0 when maxSurge is 0'));
      if (!isZero(maxUnavailable) && !isZero(maxSurge)) faults.add(invalid(`${at}.maxSurge`, maxSurge, 'may not be set when maxUnavailable is non-zero'));
    }
    if (old !== undefined) faults.immutable('spec.selector', spec.selector, old.spec?.selector);
    return faults.list;
  },
});
