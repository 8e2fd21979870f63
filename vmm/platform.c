// SPDX-License-Identifier: GPL-2.0
/*
 * platform.c - the small devices every PC has.
 *
 * ACPI power management, the reset register, the keyboard controller's reset
 * line, the panic port and the real-time clock. What a guest writes here ends
 * or resets the VM, so this is also the list of ways a guest can do that. All
 * port handlers run with vm_lock() held.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "bus.h"
#include "irq.h"
#include "platform.h"
#include "util.h"
#include "vm.h"

#define PM1_POWER_BUTTON	(1U << 8)
#define PM1_STATUS_BITS		0xcf31U		/* those a guest clears by writing ones */
#define PM1_CONTROL_SCI_ENABLE	(1U << 0)
#define PM1_CONTROL_SLEEP	(1U << 13)
#define PM_TIMER_HZ		3579545ULL

#define KBD_PULSE_RESET		0xfe
#define PANIC_PANICKED		(1U << 0)
#define PANIC_CRASHLOADED	(1U << 1)

#define CMOS_BYTES		128

/**
 * struct platform - the small devices
 * @vm:          the VM
 * @pm1_status:  PM1 status register
 * @pm1_enable:  PM1 enable register
 * @pm1_control: PM1 control register
 * @sci:         level of the SCI
 * @cmos_index:  what port 0x70 selected
 * @cmos:        bytes without a meaning here
 */
struct platform {
	struct vm *vm;
	uint16_t pm1_status;
	uint16_t pm1_enable;
	uint16_t pm1_control;
	bool sci;
	uint8_t cmos_index;
	uint8_t cmos[CMOS_BYTES];
};

/* --- ACPI power management ------------------------------------------- */

static void sci_update(struct platform *p)
{
	bool level = p->pm1_status & p->pm1_enable;

	if (level != p->sci)
		irq_line(vm_irq(p->vm), IRQ_SCI, level);
	p->sci = level;
}

static uint32_t pm1_event_read(void *opaque, unsigned int off, unsigned int len)
{
	struct platform *p = opaque;

	return ((uint32_t)p->pm1_enable << 16 | p->pm1_status) >> (8 * off);
}

static void pm1_event_write(void *opaque, unsigned int off, unsigned int len, uint32_t val)
{
	struct platform *p = opaque;
	uint32_t mask = (len == 4 ? ~0U : (1U << 8 * len) - 1) << (8 * off);
	uint32_t bits = val << (8 * off);
	uint16_t enable = (uint16_t)(mask >> 16);

	p->pm1_status &= (uint16_t)~(bits & mask & PM1_STATUS_BITS);
	p->pm1_enable = (uint16_t)((p->pm1_enable & ~enable) | ((bits >> 16) & enable));
	sci_update(p);
}

static uint32_t pm1_control_read(void *opaque, unsigned int off, unsigned int len)
{
	struct platform *p = opaque;

	/* There is no SMI to switch ACPI mode: it is on from the start. */
	return (uint32_t)(p->pm1_control | PM1_CONTROL_SCI_ENABLE) >> (8 * off);
}

static void pm1_control_write(void *opaque, unsigned int off, unsigned int len, uint32_t val)
{
	struct platform *p = opaque;
	uint16_t control = p->pm1_control;

	if (len == 1)
		control = (uint16_t)((control & ~(0xffU << 8 * off)) | (val & 0xff) << (8 * off));
	else
		control = (uint16_t)val;
	p->pm1_control = (uint16_t)(control & ~PM1_CONTROL_SLEEP);
	if (control & PM1_CONTROL_SLEEP && (control >> 10 & 7) == PLATFORM_SLEEP_OFF)
		vm_request_exit(p->vm, VM_EXIT_POWEROFF);
}

static uint32_t pm_timer_read(void *opaque, unsigned int off, unsigned int len)
{
	uint64_t ns = now_ns();
	uint64_t ticks = ns / NSEC_PER_SEC * PM_TIMER_HZ +
			 ns % NSEC_PER_SEC * PM_TIMER_HZ / NSEC_PER_SEC;

	/* 24 bits, as the FADT does not promise more. */
	return (uint32_t)(ticks & 0xffffff) >> (8 * off);
}

/**
 * platform_power_button() - press the power button
 * @platform: the devices
 *
 * Context: vm_lock() held.
 */
void platform_power_button(struct platform *platform)
{
	platform->pm1_status |= PM1_POWER_BUTTON;
	sci_update(platform);
}

/* --- resets and panics ----------------------------------------------- */

static void reset_write(void *opaque, unsigned int off, unsigned int len, uint32_t val)
{
	struct platform *p = opaque;

	/* Bit 2 resets the processor; bit 1 alone only chooses how hard. */
	if (val & 4)
		vm_request_reset(p->vm);
}

static uint32_t kbd_read(void *opaque, unsigned int off, unsigned int len)
{
	/* Status: nothing to read, ready for a command. */
	return 0;
}

static void kbd_write(void *opaque, unsigned int off, unsigned int len, uint32_t val)
{
	struct platform *p = opaque;

	if ((val & 0xff) == KBD_PULSE_RESET)
		vm_request_reset(p->vm);
}

static uint32_t panic_read(void *opaque, unsigned int off, unsigned int len)
{
	return PANIC_PANICKED | PANIC_CRASHLOADED;
}

static void panic_write(void *opaque, unsigned int off, unsigned int len, uint32_t val)
{
	struct platform *p = opaque;

	/* With a crash kernel loaded the guest goes on by itself, and dumps. */
	if (!(val & PANIC_PANICKED))
		return;
	log_error("guest crashed: its kernel panicked; the serial console says why");
	vm_request_exit(p->vm, VM_EXIT_CRASH);
}

/* --- real-time clock ------------------------------------------------- */

static uint8_t bcd(int v)
{
	return (uint8_t)(v / 10 << 4 | v % 10);
}

static uint8_t cmos_get(const struct platform *p)
{
	time_t now = time(NULL);
	struct tm tm;

	gmtime_r(&now, &tm);
	switch (p->cmos_index) {
	case 0x00:
		return bcd(tm.tm_sec);
	case 0x02:
		return bcd(tm.tm_min);
	case 0x04:
		return bcd(tm.tm_hour);
	case 0x06:
		return bcd(tm.tm_wday + 1);
	case 0x07:
		return bcd(tm.tm_mday);
	case 0x08:
		return bcd(tm.tm_mon + 1);
	case 0x09:
		return bcd(tm.tm_year % 100);
	case 0x32:
		return bcd(19 + tm.tm_year / 100);
	case 0x0a:
		return 0x26;	/* 32768 Hz, no update in progress */
	case 0x0b:
		return 0x02;	/* 24 hours, BCD */
	case 0x0c:
		return 0;	/* no interrupt: there is none */
	case 0x0d:
		return 0x80;	/* the time is valid */
	}
	return p->cmos[p->cmos_index];
}

static uint32_t cmos_read(void *opaque, unsigned int off, unsigned int len)
{
	const struct platform *p = opaque;

	return off ? cmos_get(p) : 0xff;
}

static void cmos_write(void *opaque, unsigned int off, unsigned int len, uint32_t val)
{
	struct platform *p = opaque;

	if (off)
		p->cmos[p->cmos_index] = (uint8_t)val;
	else
		p->cmos_index = val & (CMOS_BYTES - 1);
}

/* --------------------------------------------------------------------- */

static const struct {
	unsigned int base;
	unsigned int len;
	bus_read_fn read;
	bus_write_fn write;
} ports[] = {
	{ PLATFORM_PM1_EVENT, 4, pm1_event_read, pm1_event_write },
	{ PLATFORM_PM1_CONTROL, 2, pm1_control_read, pm1_control_write },
	{ PLATFORM_PM_TIMER, 4, pm_timer_read, NULL },
	{ PLATFORM_RESET, 1, NULL, reset_write },
	{ PLATFORM_PANIC, 1, panic_read, panic_write },
	{ 0x64, 1, kbd_read, kbd_write },
	{ 0x70, 2, cmos_read, cmos_write },
	{ 0x80, 1, NULL, NULL },	/* Linux writes here to wait a moment */
};

/**
 * platform_create() - add the small devices to a VM
 * @platform: set on success
 * @vm:       with a port space and interrupt controllers; PCI comes later, as
 *            the reset register lies inside its ports
 *
 * Return: 0, -ENOMEM or -ENOSPC.
 */
int platform_create(struct platform **platform, struct vm *vm)
{
	struct platform *p = calloc(1, sizeof(*p));
	int err = 0;

	if (!p)
		return -ENOMEM;
	p->vm = vm;
	/* gmtime_r() reads the zone file at its first use, and later it may not. */
	tzset();
	for (unsigned int i = 0; !err && i < ARRAY_SIZE(ports); i++)
		err = bus_add(vm_bus(vm), ports[i].base, ports[i].len, ports[i].read,
			      ports[i].write, p);
	if (err) {
		free(p);
		return err;
	}
	*platform = p;
	return 0;
}

/**
 * platform_destroy() - free the small devices
 * @platform: or NULL
 */
void platform_destroy(struct platform *platform)
{
	free(platform);
}

/**
 * platform_reset() - machine reset
 * @platform: the devices; CMOS bytes survive, as a battery would have it
 *
 * Context: vm_lock() held.
 */
void platform_reset(struct platform *platform)
{
	platform->pm1_status = 0;
	platform->pm1_enable = 0;
	platform->pm1_control = 0;
	sci_update(platform);
}
