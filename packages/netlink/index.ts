// @podwire/netlink: synchronous netlink for Node, rtnetlink, network namespaces. Knows nothing of Kubernetes.
export { Attributes, eachAttribute } from './attributes.ts';
export { NetlinkError, isNetlinkError } from './errors.ts';
export { errnoName } from './libc.ts';
export type { NetlinkErrorDetail } from './errors.ts';
export {
  NLMSG_DONE, NLMSG_ERROR, NLM_F_ACK, NLM_F_APPEND, NLM_F_CREATE, NLM_F_DUMP, NLM_F_ECHO, NLM_F_EXCL, NLM_F_REPLACE, NLM_F_REQUEST, parseAck, parseMessages,
} from './message.ts';
export type { NetlinkAck, NetlinkMessage } from './message.ts';
export { NETLINK_GENERIC, NETLINK_NETFILTER, NETLINK_ROUTE, NetlinkSocket } from './socket.ts';
export type { NetlinkSocketOptions, RequestOptions, TransactionReport } from './socket.ts';
export { subscribe } from './subscribe.ts';
export type { SubscribeOptions } from './subscribe.ts';
export { currentNetns, forgoThreadPool, startThreadPool, unshareNetns, withNetns } from './thread-netns.ts';
export { TimeSlices } from './time-slices.ts';
export { activeFeatures, setFeature } from './ethtool.ts';
export type { EthtoolOptions } from './ethtool.ts';
export { NetlinkWriter } from './writer.ts';
export { formatIp, formatMac, parseIp, parseMac, parsePrefix } from './ip-bytes.ts';
export type { Prefix } from './ip-bytes.ts';
export { createNetns, deleteNetns, getSysctl, netnsPath, openRoute, setSysctl } from './netns.ts';
export { RTNLGRP_IPV4_IFADDR, RTNLGRP_IPV4_ROUTE, RTNLGRP_IPV6_IFADDR, RTNLGRP_IPV6_ROUTE, RTNLGRP_LINK, RTNLGRP_NEIGH } from './rtnl/constants.ts';
export { addLink, deleteLink, deleteLinkGroup, deviceIndex, getLink, listLinks, parseLink, setBridge, setBridgePort, setLink } from './rtnl/links.ts';
export type { BridgeOptions, BridgePortOptions, Device, Link, LinkAttributes, LinkChanges, LinkSpec, VxlanOptions } from './rtnl/link-types.ts';
export { addAddress, deleteAddress, listAddresses, parseAddress, replaceAddress } from './rtnl/addresses.ts';
export type { Address, AddressOptions } from './rtnl/addresses.ts';
export { addRoute, deleteRoute, getRoute, listRoutes, parseRoute, replaceRoute, RT_TABLE_MAIN, RTPROT_BOOT, RTPROT_KERNEL, RTPROT_STATIC } from './rtnl/routes.ts';
export type { Route, RouteHop, RouteSpec, RouteType } from './rtnl/routes.ts';
export { addFdb, appendFdb, deleteFdb, deleteNeighbour, isFdbMessage, listFdb, listNeighbours, NUD_NOARP, NUD_PERMANENT, NUD_REACHABLE, parseFdb, parseNeighbour, replaceFdb, replaceNeighbour } from './rtnl/neighbours.ts';
export type { FdbEntry, FdbSpec, Neighbour } from './rtnl/neighbours.ts';
export { addRule, deleteRule, listRules } from './rtnl/rules.ts';
export type { Rule } from './rtnl/rules.ts';
