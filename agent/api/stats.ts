// /stats/summary and /metrics: what the pods use, in the kubelet's own form.
import type { Registry } from 'prom-client';
import { nameOf } from '../pods/observed.ts';
import type { PodManager } from '../manager.ts';
import type { AgentConfig } from '../config.ts';
import type { Machine } from '../node/machine.ts';
import { readPressure } from '../node/machine.ts';
import type { ContainerRuntime } from '../runtime/runtime.ts';

export interface StatsDeps {
  readonly config: AgentConfig;
  readonly runtime: ContainerRuntime;
  readonly manager: PodManager;
  readonly machine: Machine;
}

export async function statsSummary(deps: StatsDeps, signal: AbortSignal): Promise<object> {
  const time = new Date().toISOString();
  const pressure = await readPressure(deps.config.rootDir);
  const pods = await Promise.all([...deps.manager.workers].map(async (worker) => {
    const running = worker.observed.containers.filter((one) => one.state === 'running');
    const containers = await Promise.all(running.map(async (one) => {
      const stats = await deps.runtime.containers.stats(one.id, signal);
      return {
        name: nameOf(one), startTime: new Date(one.startedAt).toISOString(),
        cpu: { time, usageCoreNanoSeconds: stats.cpuNanoseconds }, memory: { time, usageBytes: stats.memoryUsageBytes, workingSetBytes: stats.memoryWorkingSetBytes },
      };
    }));
    const { name, namespace, uid } = worker.pod.metadata ?? {};
    return {
      podRef: { name, namespace, uid }, containers,
      cpu: { time, usageCoreNanoSeconds: sum(containers.map((one) => one.cpu.usageCoreNanoSeconds)) },
      memory: { time, usageBytes: sum(containers.map((one) => one.memory.usageBytes)), workingSetBytes: sum(containers.map((one) => one.memory.workingSetBytes)) },
    };
  }));
  return {
    node: {
      nodeName: deps.config.nodeName,
      memory: { time, availableBytes: pressure.memoryAvailableBytes, workingSetBytes: deps.machine.memoryBytes - pressure.memoryAvailableBytes },
      fs: { time, availableBytes: pressure.diskAvailableBytes, capacityBytes: pressure.diskBytes },
    },
    pods,
  };
}

const sum = (numbers: readonly number[]): number => numbers.reduce((total, one) => total + one, 0);

const registries = new WeakMap<PodManager, Registry>();

export async function metricsText(deps: StatsDeps): Promise<string> {
  let registry = registries.get(deps.manager);
  if (registry === undefined) {
    // Loaded when somebody asks: an agent without a scraper need not hold it.
    const { Gauge, Registry, collectDefaultMetrics } = await import('prom-client');
    registry = new Registry();
    collectDefaultMetrics({ register: registry });
    const { manager } = deps;
    new Gauge({ name: 'kubelet_running_pods', help: 'Pods that have a running sandbox', registers: [registry], collect() { this.set([...manager.workers].filter((worker) => worker.observed.sandboxes.some((one) => one.state === 'running')).length); } });
    new Gauge({
      name: 'kubelet_running_containers', help: 'Containers by state', labelNames: ['container_state'], registers: [registry],
      collect() {
        const all = [...manager.workers].flatMap((worker) => worker.observed.containers);
        for (const state of ['running', 'exited', 'created'] as const) this.set({ container_state: state }, all.filter((one) => one.state === state).length);
      },
    });
    registries.set(deps.manager, registry);
  }
  return registry.metrics();
}
