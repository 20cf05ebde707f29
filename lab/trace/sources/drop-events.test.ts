import test from 'ava';
import { joinDrops, parseTraceLine, wallClock } from './drop-events.ts';

const lines = `# tracer: nop
#           TASK-PID     CPU#  |||||  TIMESTAMP  FUNCTION
          <idle>-0       [001] b.s3.  2171.000100: netif_receive_skb: dev=eth0 skbaddr=00000000aa len=84
          <idle>-0       [001] b.s3.  2171.000120: kfree_skb: skbaddr=00000000aa rx_sk=0000000000000000 protocol=2048 location=ip_rcv_finish_core+0x1f/0x3e0 reason: IP_RPFILTER
     node main-9       [000] ..s3.  2171.000200: net_dev_start_xmit: dev=pw-vxlan queue_mapping=0 skbaddr=00000000bb vlan_tagged=0 vlan_proto=0x0000 vlan_tci=0x0000 protocol=0x0800 ip_summed=3 len=74 data_len=0 network_offset=14
            curl-77      [000] ..s3.  2171.000210: kfree_skb: skbaddr=00000000bb rx_sk=0000000000000000 protocol=2048 location=vxlan_xmit+0x1/0x2 reason: NO_TX_TARGET
            curl-77      [000] ..s3.  2171.000300: kfree_skb: skbaddr=00000000bb rx_sk=0000000000000000 protocol=2048 location=x+0x1/0x2 reason: NOT_SPECIFIED`;

test('a drop is joined with the devices that had the buffer before, and not after', (t) => {
  const events = lines.split('\n').map(parseTraceLine).filter((event) => event !== undefined);
  t.is(events.length, 5);
  t.deepEqual(joinDrops(events).map(({ reason, location, seen }) => [reason, location, seen.map(({ device, length }) => `${device} ${length}`)]), [
    ['IP_RPFILTER', 'ip_rcv_finish_core', ['eth0 84']],
    ['NO_TX_TARGET', 'vxlan_xmit', ['pw-vxlan 74']],
  ]);
});

const marked = (time: string, wallMs: number): readonly string[] => ['# tracer: nop', `     node main-9       [000] ...1. ${time}: tracing_mark_write: ${wallClock.mark(wallMs)}`];

test('the tracer is whole seconds ahead of the wall clock, also when the mark was written late', (t) => {
  t.is(wallClock.aheadNs(marked('1700000037.000100', 1_700_000_000_000)), 37_000_000_000n);
  t.is(wallClock.aheadNs(marked('1700000037.400000', 1_700_000_000_000)), 37_000_000_000n);
  t.is(wallClock.aheadNs(marked('1700000000.000000', 1_700_000_000_000)), 0n);
  t.is(wallClock.aheadNs([]), 0n);
});
