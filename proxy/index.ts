// @podwire/proxy: Services on a constant nftables ruleset. See README.md.
export { startProxy } from './driver/proxy.ts';
export type { ProxyHandle, ProxyHealth, ProxyLog, StartOptions } from './driver/proxy.ts';
export { DEFAULT_CONFIG } from './config/types.ts';
export type { DetectLocalMode, ProxyConfig } from './config/types.ts';
export { renderRuleset } from './ruleset/render.ts';
export type { RulesetOptions } from './ruleset/render.ts';
// For `podwire proxy show` and `podwire proxy explain`, and for predictions of the trace.
export { explain } from './core/explain.ts';
export type { Choice, Explanation, NodeView, Outcome, Packet, RuleRows, Step } from './core/explain.ts';
export { explainPacket, explanationText, parseQuestion, QuestionError } from './tools/explain-packet.ts';
export type { ExplainOptions } from './tools/explain-packet.ts';
export { readKernel } from './tools/kernel-view.ts';
export type { KernelView } from './tools/kernel-view.ts';
export { showService, shownText } from './tools/show-service.ts';
export type { ShowOptions, ShownFront, ShownService } from './tools/show-service.ts';
