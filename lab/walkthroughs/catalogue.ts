import { LabError } from '../errors.ts';
import { acrossNodes } from './across-nodes.ts';
import { applyDeployment } from './apply-deployment.ts';
import { bridgeNf } from './bridge-nf.ts';
import { clusterIp } from './cluster-ip.ts';
import { duplicateMac } from './duplicate-mac.ts';
import { hairpin } from './hairpin.ts';
import type { Lesson } from './model.ts';
import { mtu } from './mtu.ts';
import { nodePort } from './node-port.ts';
import { podToPod } from './pod-to-pod.ts';
import { rollingUpdate } from './rolling-update.ts';
import { rpFilter } from './rp-filter.ts';
import { staleConntrack } from './stale-conntrack.ts';

/** From the simple to the hard. */
export const lessons: readonly Lesson[] = [podToPod, acrossNodes, clusterIp, nodePort, hairpin, staleConntrack, bridgeNf, rpFilter, mtu, duplicateMac, rollingUpdate, applyDeployment];

export function lessonNamed(name: string): Lesson {
  const found = lessons.find((lesson) => lesson.name === name);
  if (found === undefined) throw new LabError('EUSAGE', `no walkthrough '${name}'; there are: ${lessons.map((lesson) => lesson.name).join(', ')}`);
  return found;
}
