/* SPDX-License-Identifier: GPL-2.0 */
/*
 * platform.h - the small devices every PC has, and their ports.
 */
#ifndef KVHOST_PLATFORM_H
#define KVHOST_PLATFORM_H

struct platform;
struct vm;

/* ACPI registers, as the FADT names them. */
#define PLATFORM_PM1_EVENT	0x600
#define PLATFORM_PM1_CONTROL	0x604
#define PLATFORM_PM_TIMER	0x608
#define PLATFORM_RESET		0xcf9
#define PLATFORM_RESET_VALUE	0x06
#define PLATFORM_PANIC		0x505
#define PLATFORM_SLEEP_OFF	5

int platform_create(struct platform **platform, struct vm *vm);
void platform_destroy(struct platform *platform);
void platform_reset(struct platform *platform);
/* The power button; the guest may ignore it. vm_lock() held. */
void platform_power_button(struct platform *platform);

#endif
