/* SPDX-License-Identifier: GPL-2.0 */
/*
 * sandbox.h - give up what the guest must not get at.
 *
 * Life: sandbox_choose_account() before anything is made; sandbox_thread_create()
 * for each thread; when everything is open and every thread started,
 * sandbox_drop_root() and sandbox_enter(). From then on there is no way to open a
 * file, start a program or a thread, or gain a privilege.
 */
#ifndef KVHOST_SANDBOX_H
#define KVHOST_SANDBOX_H

#include <pthread.h>

struct options;
struct sock_fprog;

/**
 * enum sandbox_role - what a thread is there for
 * @SANDBOX_MAIN:   signals, the control socket, the end
 * @SANDBOX_DEVICE: events of devices, resets
 * @SANDBOX_VCPU:   a vCPU
 * @SANDBOX_DISK:   I/O thread of a disk
 * @SANDBOX_RANGE:  its requests that name ranges
 * @SANDBOX_NET:    I/O thread of a network device
 * @SANDBOX_ROLES:  how many there are
 */
enum sandbox_role {
	SANDBOX_MAIN,
	SANDBOX_DEVICE,
	SANDBOX_VCPU,
	SANDBOX_DISK,
	SANDBOX_RANGE,
	SANDBOX_NET,
	SANDBOX_ROLES,
};

/* Write one line on stderr when they fail. */
int sandbox_choose_account(const struct options *opt);
int sandbox_drop_root(const struct options *opt);
int sandbox_enter(void);

int sandbox_thread_create(pthread_t *thread, enum sandbox_role role, void *(*fn)(void *arg),
			  void *arg);
void sandbox_thread_join(pthread_t thread);

/* sandbox_filter.c */
int sandbox_filter_build(enum sandbox_role role, struct sock_fprog *prog);
void sandbox_filter_free(struct sock_fprog *prog);

#endif
