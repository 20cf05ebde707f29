export type ServerMetrics = Readonly<{
  /** Duration of a request by verb, resource and code; watches are counted but not timed. */
  observe(labels: Readonly<{ verb: string; resource: string; code: number }>, seconds: number): void;
  text(): string;
}>;

const bucketSeconds = [0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 5];

type Timing = { verb: string; resource: string; buckets: number[]; sum: number; count: number };

const escaped = (value: string): string => value.replaceAll('\\', '\\\\').replaceAll('"', '\\"').replaceAll('\n', '\\n');
const line = (name: string, labels: Readonly<Record<string, string | number>>, value: number): string =>
  `${name}{${Object.entries(labels).map(([key, each]) => `${key}="${escaped(String(each))}"`).join(',')}} ${value}`;
const heading = (name: string, type: string, help: string): string[] => [`# HELP ${name} ${help}`, `# TYPE ${name} ${type}`];

/** Named as kube-apiserver names them, so that existing dashboards work. Prometheus text format 0.0.4. */
export function createMetrics(counts: () => Readonly<Record<string, number>>): ServerMetrics {
  const totals = new Map<string, { verb: string; resource: string; code: number; count: number }>();
  const timings = new Map<string, Timing>();
  return {
    observe({ verb, resource, code }, seconds) {
      const key = `${verb} ${resource} ${code}`;
      const total = totals.get(key);
      if (total === undefined) totals.set(key, { verb, resource, code, count: 1 });
      else total.count += 1;
      if (verb === 'watch') return;
      let timing = timings.get(`${verb} ${resource}`);
      if (timing === undefined) {
        timing = { verb, resource, buckets: bucketSeconds.map(() => 0), sum: 0, count: 0 };
        timings.set(`${verb} ${resource}`, timing);
      }
      timing.sum += seconds;
      timing.count += 1;
      const at = bucketSeconds.findIndex((bound) => seconds <= bound);
      if (at >= 0) timing.buckets[at] = (timing.buckets[at] ?? 0) + 1;
    },
    text() {
      const duration = 'apiserver_request_duration_seconds';
      return [
        ...heading('apiserver_request_total', 'counter', 'Requests by verb, resource and code.'),
        ...[...totals.values()].map(({ count, ...labels }) => line('apiserver_request_total', labels, count)),
        ...heading(duration, 'histogram', 'Time from request to the end of the answer, without watches.'),
        ...[...timings.values()].flatMap(({ verb, resource, buckets, sum, count }) => {
          let below = 0;
          return [
            ...bucketSeconds.map((bound, index) => line(`${duration}_bucket`, { verb, resource, le: bound }, below += buckets[index] ?? 0)),
            line(`${duration}_bucket`, { verb, resource, le: '+Inf' }, count), line(`${duration}_sum`, { verb, resource }, sum), line(`${duration}_count`, { verb, resource }, count),
          ];
        }),
        ...heading('apiserver_storage_objects', 'gauge', 'Stored objects by resource.'),
        ...Object.entries(counts()).map(([resource, count]) => line('apiserver_storage_objects', { resource }, count)),
        ...heading('process_resident_memory_bytes', 'gauge', 'Resident memory of the process.'), `process_resident_memory_bytes ${process.memoryUsage.rss()}`, '',
      ].join('\n');
    },
  };
}
