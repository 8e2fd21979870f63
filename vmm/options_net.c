// SPDX-License-Identifier: GPL-2.0
/*
 * options_net.c - the keys of --net.
 *
 * One table, read by options_value.c; what no single value can be wrong about,
 * how the keys go together, is checked behind it. Called by options.c.
 */
#include <errno.h>
#include <stddef.h>
#include <string.h>

#include "options.h"
#include "options_value.h"
#include "util.h"

/* The least that IPv6 runs on; 68 is the least of all. */
#define MTU_LEAST	68
#define MTU_IPV6	1280
#define MTU_MOST	65535

#define NET(field)	offsetof(struct net_options, field)

static const char *const backends[] = { "kernel", "user", NULL };

static const struct option_def net_table[] = {
	{ .name = "tap", .arg = "NAME", .kind = KIND_STRING, .off = NET(tap), .max = 15,
	  .help = "an existing tap interface; tools/net makes one" },
	{ .name = "macvtap", .arg = "NAME", .kind = KIND_STRING, .off = NET(macvtap), .max = 15,
	  .help = "an existing macvtap or ipvtap interface" },
	{ .name = "bridge", .arg = "NAME", .kind = KIND_STRING, .off = NET(bridge), .max = 15,
	  .help = "a bridge; it gets a tap for the time of the run (needs root)" },
	{ .name = "user", .kind = KIND_FLAG, .off = NET(user),
	  .help = "the host's own connections, by passt; needs no root, backend=user only" },
	{ .name = "backend", .arg = "kernel|user", .kind = KIND_CHOICE, .off = NET(backend),
	  .choices = backends,
	  .help = "who processes the queues (default: kernel, but user for `user`)" },
	{ .name = "queues", .arg = "N", .kind = KIND_UINT, .off = NET(queues), .def = "1",
	  .min = 1, .max = OPTIONS_NET_PAIRS_MAX,
	  .help = "pairs of virtqueues; more than one needs a multi_queue interface" },
	{ .name = "mac", .arg = "ADDRESS", .kind = KIND_MAC, .off = NET(mac),
	  .help = "address (default: that of a macvtap, else a new one each run)" },
	{ .name = "mtu", .arg = "N", .kind = KIND_UINT, .off = NET(mtu), .min = MTU_LEAST,
	  .max = MTU_MOST,
	  .help = "largest packet, set on the interface too (default: the interface's)" },
	{ .name = "speed", .arg = "MBIT", .kind = KIND_UINT, .off = NET(speed), .def = "0",
	  .max = INT32_MAX, .help = "link speed the guest is told, Mbit/s; 0: unknown" },
	{ .name = "packed", .arg = "on|off", .kind = KIND_BOOL, .off = NET(packed), .def = "off",
	  .help = "offer the packed ring" },
	{ .name = "in_order", .arg = "on|off", .kind = KIND_BOOL, .off = NET(in_order),
	  .def = "off", .help = "offer in-order completion" },
	{ .name = "indirect", .arg = "on|off", .kind = KIND_BOOL, .off = NET(indirect),
	  .def = "on", .help = "offer indirect descriptors" },
	{ .name = "event_idx", .arg = "on|off", .kind = KIND_BOOL, .off = NET(event_idx),
	  .def = "on", .help = "offer event indices" },
	{ .name = "queue_size", .arg = "N", .kind = KIND_UINT, .off = NET(queue_size),
	  .def = "256", .min = 2, .max = 32768,
	  .help = "entries per virtqueue; a power of two unless packed=on" },
	{ .name = "mrg_rxbuf", .arg = "on|off", .kind = KIND_BOOL, .off = NET(mrg_rxbuf),
	  .def = "on", .help = "offer to spread a packet over several receive buffers" },
	{ .name = "csum", .arg = "on|off", .kind = KIND_BOOL, .off = NET(csum), .def = "on",
	  .help = "offer checksum offload; off takes tso and uso with it" },
	{ .name = "tso", .arg = "on|off", .kind = KIND_BOOL, .off = NET(tso), .def = "on",
	  .help = "offer TCP segmentation offload" },
	{ .name = "uso", .arg = "on|off", .kind = KIND_BOOL, .off = NET(uso), .def = "on",
	  .help = "offer UDP segmentation offload, where the host has it" },
	{ .name = "poll", .arg = "US", .kind = KIND_UINT, .off = NET(poll), .def = "50",
	  .max = 10000, .help = "kernel backend: longest wait for more work, microseconds" },
	{ .name = "registered", .arg = "on|off", .kind = KIND_BOOL, .off = NET(registered),
	  .def = "off", .help = "kernel backend: pin all guest RAM" },
	{ .name = "node", .arg = "FILE", .kind = KIND_STRING, .off = NET(node),
	  .def = "/dev/kvhost-net", .help = "device node of the kernel backend" },
	{ .name = NULL },
};

static const struct option_keys net_keys = { "--net ", net_table, "tap" };

static int check_where(const struct net_options *net)
{
	int n = !!net->tap + !!net->macvtap + !!net->bridge + net->user;

	if (n == 1)
		return 0;
	log_error("--net: %s; write one of tap=NAME, macvtap=NAME, bridge=NAME, user",
		  n ? "more than one network is named" : "no network is named");
	return -EINVAL;
}

static int check_user(const struct net_options *net)
{
	if (!net->user)
		return 0;
	if (net->backend == NET_BACKEND_KERNEL) {
		log_error("--net backend: 'kernel' cannot serve `user`; write backend=user");
		return -EINVAL;
	}
	if (net->queues > 1) {
		log_error("--net queues: '%u' is more than the 1 of `user`", net->queues);
		return -EINVAL;
	}
	return 0;
}

/**
 * options_parse_net() - read one --net
 * @net:  zeroed; filled in, its strings point into @text
 * @text: "KEY=VALUE,..."; is cut up
 *
 * Return: 0, or -EINVAL after one line on stderr.
 */
int options_parse_net(struct net_options *net, char *text)
{
	unsigned int seen = 0;
	char *rest = text;
	int err;

	err = option_defaults(net_keys.where, net_table, net);
	while (!err && rest)
		err = option_key(&net_keys, net, option_next_item(&rest), &seen);
	if (!err)
		err = check_where(net);
	if (!err && net->user && !option_seen(&net_keys, "backend", seen))
		net->backend = NET_BACKEND_USER;
	if (!err)
		err = check_user(net);
	if (err)
		return err;
	if (!net->packed && net->queue_size & (net->queue_size - 1)) {
		log_error("--net queue_size: '%u' is not a power of two; choose one, or packed=on",
			  net->queue_size);
		return -EINVAL;
	}
	if (net->mtu && net->mtu < MTU_IPV6)
		log_warn("--net mtu: with '%u' the guest has no IPv6, which takes %u", net->mtu,
			 MTU_IPV6);
	net->tso = net->tso && net->csum;
	net->uso = net->uso && net->csum;
	return 0;
}

/**
 * options_help_net() - print what --net understands
 * @out: stream
 */
void options_help_net(FILE *out)
{
	fputs("\nKeys of --net:\n", out);
	option_help(out, net_table, "", "=");
}
