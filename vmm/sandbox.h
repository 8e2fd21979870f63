/* SPDX-License-Identifier: GPL-2.0 */
/*
 * sandbox.h - give up what the guest must not get at.
 */
#ifndef KVHOST_SANDBOX_H
#define KVHOST_SANDBOX_H

struct options;

/*
 * Everything is open and every thread started; from here on there is no way to
 * open a file, start a program or a thread, or gain a privilege.
 */
int sandbox_enter(const struct options *opt);

#endif
