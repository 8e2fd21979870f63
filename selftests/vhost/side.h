/* SPDX-License-Identifier: GPL-2.0 */
/*
 * One of the two devices compared, with all a front end brings along: memory,
 * rings, a tap, and a packet socket behind the tap.
 */
#ifndef SELFTESTS_VHOST_SIDE_H
#define SELFTESTS_VHOST_SIDE_H

#include <linux/vhost.h>
#include "net/pair.h"

#define VHOST_NET_NODE	"/dev/vhost-net"

/*
 * States in the order in which a front end goes through them. RESET is RUNNING
 * after VHOST_RESET_OWNER and VHOST_SET_OWNER. FOREIGN is RUNNING with another
 * process as caller, ORPHAN is RUNNING with the owner dead.
 */
enum state {
	OPENED, OWNED, FEATURES, TABLE, RINGS, RUNNING, STOPPED, RESET, FOREIGN, ORPHAN, STATES,
};

/* A file of each kind. */
enum fd_kind {
	FD_TAP, FD_TAP_2, FD_PACKET, FD_PACKET_DGRAM, FD_TUN_NEW, FD_EVENTFD, FD_PIPE,
	FD_FILE, FD_DIR, FD_PATH, FD_UNIX, FD_UDP, FD_RAW_IP, FD_NETLINK, FD_VHOST, FD_KVHOST,
	FD_SELF, FD_CLOSED, FD_MINUS1, FD_MINUS2, FD_HUGE, FD_KINDS,
};

/**
 * struct side - one device
 * @node: path of its node
 * @p:    device, memory, rings, tap and packet socket; not opened at first
 * @fds:  one file of each kind
 */
struct side {
	const char *node;
	struct pair p;
	int fds[FD_KINDS];
};

extern const char *const state_names[STATES];
extern const char *const fd_names[FD_KINDS];

void side_init(struct side *s, const char *node);
void side_bring(struct side *s, enum state to);
void side_prepare(struct side *s);
void side_start(struct side *s);
void side_close(struct side *s);
int side_call(struct side *s, unsigned long req, void *arg);
int side_backend(struct side *s, unsigned int index, int fd);
void side_addr(struct side *s, unsigned int index, struct vhost_vring_addr *a);

#endif /* SELFTESTS_VHOST_SIDE_H */
