/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Device-mapper devices that fail, stall and remember, by dmsetup.
 *
 * dm_make() registers the device's removal like backing_*(); the others change
 * a device while it is in use.
 */
#ifndef SELFTESTS_DM_H
#define SELFTESTS_DM_H

#include "base.h"

const char *dm_make(const char *name, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));
void dm_load(const char *name, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
void dm_suspend(const char *name);
void dm_resume(const char *name);
void dm_mark(const char *name, const char *mark);
void dm_remove(const char *name);

#endif /* SELFTESTS_DM_H */
