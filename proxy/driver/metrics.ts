// kube-proxy's metric names where it has them; podwire_* for what it has not.
import { Counter, Gauge, Histogram, Registry } from 'prom-client';
import { endpointLabels } from './endpoint-metrics.ts';
import type { EndpointTraffic } from './traffic.ts';

const SECONDS = [0.0001, 0.0003, 0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1, 3, 10];

export class ProxyMetrics {
  readonly registry = new Registry();
  readonly syncDuration = this.#histogram('kubeproxy_sync_proxy_rules_duration_seconds', 'SyncProxyRules latency in seconds', ['ip_family']);
  readonly fullSyncDuration = this.#histogram('kubeproxy_sync_full_proxy_rules_duration_seconds', 'SyncProxyRules latency in seconds for full resyncs', ['ip_family']);
  readonly partialSyncDuration = this.#histogram('kubeproxy_sync_partial_proxy_rules_duration_seconds', 'SyncProxyRules latency in seconds for partial resyncs', ['ip_family']);
  readonly programming = new Histogram({ name: 'kubeproxy_network_programming_duration_seconds', help: 'In Cluster Network Programming Latency in seconds', labelNames: ['ip_family'], buckets: [0.001, 0.005, 0.025, 0.1, 0.5, 1, 2, 5, 10, 30, 60, 300], registers: [this.registry] });
  readonly lastSync = this.#gauge('kubeproxy_sync_proxy_rules_last_timestamp_seconds', 'The last time proxy rules were successfully synced', ['ip_family']);
  readonly lastQueued = this.#gauge('kubeproxy_sync_proxy_rules_last_queued_timestamp_seconds', 'The last time a sync of proxy rules was queued', ['ip_family']);
  readonly endpointChanges = this.#counter('kubeproxy_sync_proxy_rules_endpoint_changes_total', 'Cumulative proxy rules Endpoint changes', ['ip_family']);
  readonly serviceChanges = this.#counter('kubeproxy_sync_proxy_rules_service_changes_total', 'Cumulative proxy rules Service changes', ['ip_family']);
  readonly endpointChangesPending = this.#gauge('kubeproxy_sync_proxy_rules_endpoint_changes_pending', 'Pending proxy rules Endpoint changes', ['ip_family']);
  readonly serviceChangesPending = this.#gauge('kubeproxy_sync_proxy_rules_service_changes_pending', 'Pending proxy rules Service changes', ['ip_family']);
  readonly noLocalEndpoints = this.#gauge('kubeproxy_sync_proxy_rules_no_local_endpoints_total', 'Number of services with a Local traffic policy and no endpoints', ['ip_family', 'traffic_policy']);
  readonly syncFailures = this.#counter('kubeproxy_sync_proxy_rules_nftables_sync_failures_total', 'Cumulative proxy nftables sync failures', ['ip_family']);
  readonly cleanupFailures = this.#counter('kubeproxy_sync_proxy_rules_nftables_cleanup_failures_total', 'Cumulative proxy nftables cleanup failures', ['ip_family']);
  readonly conntrackDuration = this.#histogram('kubeproxy_conntrack_reconciler_sync_duration_seconds', 'ReconcileConntrackFlowsLatency in seconds', ['ip_family']);
  readonly conntrackDeleted = this.#counter('kubeproxy_conntrack_reconciler_deleted_entries_total', 'Cumulative conntrack flows deleted by conntrack reconciler', ['ip_family']);
  readonly healthz = this.#counter('kubeproxy_proxy_healthz_total', 'Cumulative proxy healthz HTTP status', ['code']);
  readonly livez = this.#counter('kubeproxy_proxy_livez_total', 'Cumulative proxy livez HTTP status', ['code']);
  readonly repairs = this.#counter('podwire_proxy_drift_repairs_total', 'Rows or rules that somebody else had changed and that were put right', ['ip_family', 'kind']);
  readonly drifts = this.#counter('podwire_proxy_drift_detected_total', 'Foreign changes of our tables noticed', []);
  readonly services = this.#gauge('podwire_proxy_services', 'Services that the proxy serves', []);
  readonly #bytes = this.#gauge('podwire_proxy_endpoint_bytes_total', 'Bytes that connections through Services carried (with --traffic-accounting)', ['namespace', 'service', 'port', 'protocol', 'endpoint', 'ip_family', 'direction']);

  setTraffic(totals: readonly EndpointTraffic[]): void {
    this.#bytes.reset();
    for (const { service, portKey, address, number, family, toEndpoint, fromEndpoint } of totals) {
      const labels = endpointLabels(service, portKey, address, number, family);
      this.#bytes.set({ ...labels, direction: 'to-endpoint' }, Number(toEndpoint));
      this.#bytes.set({ ...labels, direction: 'from-endpoint' }, Number(fromEndpoint));
    }
  }

  #histogram(name: string, help: string, labelNames: string[]): Histogram { return new Histogram({ name, help, labelNames, buckets: SECONDS, registers: [this.registry] }); }
  #gauge(name: string, help: string, labelNames: string[]): Gauge { return new Gauge({ name, help, labelNames, registers: [this.registry] }); }
  #counter(name: string, help: string, labelNames: string[]): Counter { return new Counter({ name, help, labelNames, registers: [this.registry] }); }
}
