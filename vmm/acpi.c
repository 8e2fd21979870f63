// SPDX-License-Identifier: GPL-2.0
/*
 * acpi.c - the ACPI tables.
 *
 * RSDP, XSDT, FADT, FACS, MADT and the DSDT that iasl compiled from dsdt.asl,
 * written into the BIOS area. Nothing here keeps state: the tables are written
 * again at every reset, as the guest may have changed them.
 */
#include <stddef.h>
#include <string.h>

#include "acpi.h"
#include "dsdt.h"
#include "irq.h"
#include "memory.h"
#include "platform.h"
#include "util.h"

#define TABLES_START	0xe0000
#define TABLES_END	0xe0f00
#define INFO_ADDR	0xe0f00		/* OperationRegion INFO of dsdt.asl */

#define IOAPIC_ADDR	0xfec00000
#define LAPIC_ADDR	0xfee00000

#define FADT_WBINVD		(1U << 0)
#define FADT_PROC_C1		(1U << 2)
#define FADT_SLP_BUTTON		(1U << 5)	/* not a fixed feature: there is none */
#define FADT_FIXED_RTC		(1U << 6)	/* likewise */
#define FADT_RESET_REG		(1U << 10)
#define FADT_HEADLESS		(1U << 12)

#define BOOT_ARCH_LEGACY	(1U << 0)	/* and no i8042 */
#define BOOT_ARCH_NO_VGA	(1U << 2)
#define BOOT_ARCH_NO_ASPM	(1U << 4)

#define MADT_PCAT_COMPAT	1

struct rsdp {
	char signature[8];
	uint8_t checksum;
	char oem[6];
	uint8_t revision;
	uint32_t rsdt;
	uint32_t length;
	uint64_t xsdt;
	uint8_t checksum2;
	uint8_t reserved[3];
} __attribute__((packed));

struct header {
	char signature[4];
	uint32_t length;
	uint8_t revision;
	uint8_t checksum;
	char oem[6];
	char oem_table[8];
	uint32_t oem_revision;
	char creator[4];
	uint32_t creator_revision;
} __attribute__((packed));

struct address {
	uint8_t space;		/* 0: memory, 1: ports */
	uint8_t bits;
	uint8_t offset;
	uint8_t access;		/* 1: byte, 2: word, 3: long */
	uint64_t addr;
} __attribute__((packed));

struct fadt {
	struct header h;
	uint32_t facs;
	uint32_t dsdt;
	uint8_t model;
	uint8_t profile;
	uint16_t sci;
	uint32_t smi_port;
	uint8_t smi[4];
	uint32_t pm1a_event, pm1b_event, pm1a_control, pm1b_control, pm2_control, pm_timer;
	uint32_t gpe0, gpe1;
	uint8_t pm1_event_len, pm1_control_len, pm2_control_len, pm_timer_len;
	uint8_t gpe0_len, gpe1_len, gpe1_base, cst;
	uint16_t c2_latency, c3_latency, flush_size, flush_stride;
	uint8_t duty_offset, duty_width, day_alarm, month_alarm, century;
	uint16_t boot_arch;
	uint8_t reserved;
	uint32_t flags;
	struct address reset_reg;
	uint8_t reset_value;
	uint16_t arm_boot_arch;
	uint8_t minor;
	uint64_t x_facs, x_dsdt;
	struct address x_pm1a_event, x_pm1b_event, x_pm1a_control, x_pm1b_control;
	struct address x_pm2_control, x_pm_timer, x_gpe0, x_gpe1;
	struct address sleep_control, sleep_status;
	uint64_t hypervisor;
} __attribute__((packed));

struct facs {
	char signature[4];
	uint32_t length;
	uint8_t rest[56];
} __attribute__((packed));

struct madt_lapic {
	uint8_t type, length, processor, apic;
	uint32_t flags;
} __attribute__((packed));

struct madt_ioapic {
	uint8_t type, length, id, reserved;
	uint32_t addr, gsi_base;
} __attribute__((packed));

struct madt_override {
	uint8_t type, length, bus, source;
	uint32_t gsi;
	uint16_t flags;
} __attribute__((packed));

struct madt_nmi {
	uint8_t type, length, processor;
	uint16_t flags;
	uint8_t lint;
} __attribute__((packed));

_Static_assert(sizeof(struct rsdp) == 36, "ACPI 6.3, 5.2.5.3");
_Static_assert(sizeof(struct fadt) == 276, "ACPI 6.3, 5.2.9");
_Static_assert(sizeof(struct facs) == 64, "ACPI 6.3, 5.2.10");

/* Where the next table goes. */
struct cursor {
	uint8_t *base;		/* of TABLES_START in this process */
	uint32_t off;
};

static uint8_t checksum(const void *p, size_t len)
{
	const uint8_t *b = p;
	uint8_t sum = 0;

	while (len--)
		sum += *b++;
	return (uint8_t)-sum;
}

/* Copy a table and finish its header; returns its guest-physical address. */
static uint32_t put(struct cursor *c, const void *table, size_t len)
{
	uint32_t at = c->off;

	memcpy(c->base + at, table, len);
	c->off = (uint32_t)align_up(at + len, 64);
	return TABLES_START + at;
}

static void finish(struct header *h, const char *signature, uint8_t revision, size_t len)
{
	memcpy(h->signature, signature, 4);
	h->length = (uint32_t)len;
	h->revision = revision;
	memcpy(h->oem, "KVHOST", 6);
	memcpy(h->oem_table, "KVHOST  ", 8);
	h->oem_revision = 1;
	memcpy(h->creator, "KVH ", 4);
	h->creator_revision = 1;
	h->checksum = 0;
	h->checksum = checksum(h, len);
}

static struct address port(uint16_t addr, uint8_t bytes)
{
	return (struct address){
		.space = 1,
		.bits = (uint8_t)(bytes * 8),
		.access = bytes == 4 ? 3 : bytes,
		.addr = addr,
	};
}

static uint32_t put_fadt(struct cursor *c, uint32_t facs, uint32_t dsdt)
{
	struct fadt f = {
		.facs = facs,
		.dsdt = dsdt,
		.sci = IRQ_SCI,
		.pm1a_event = PLATFORM_PM1_EVENT,
		.pm1_event_len = 4,
		.pm1a_control = PLATFORM_PM1_CONTROL,
		.pm1_control_len = 2,
		.pm_timer = PLATFORM_PM_TIMER,
		.pm_timer_len = 4,
		.c2_latency = 0xffff,	/* no C2, */
		.c3_latency = 0xffff,	/* no C3 */
		.boot_arch = BOOT_ARCH_LEGACY | BOOT_ARCH_NO_VGA | BOOT_ARCH_NO_ASPM,
		.flags = FADT_WBINVD | FADT_PROC_C1 | FADT_SLP_BUTTON | FADT_FIXED_RTC |
			 FADT_RESET_REG | FADT_HEADLESS,
		.reset_reg = port(PLATFORM_RESET, 1),
		.reset_value = PLATFORM_RESET_VALUE,
		.minor = 3,
		.x_dsdt = dsdt,
		.x_pm1a_event = port(PLATFORM_PM1_EVENT, 4),
		.x_pm1a_control = port(PLATFORM_PM1_CONTROL, 2),
		.x_pm_timer = port(PLATFORM_PM_TIMER, 4),
	};

	finish(&f.h, "FACP", 6, sizeof(f));
	return put(c, &f, sizeof(f));
}

static uint32_t put_madt(struct cursor *c, unsigned int cpus)
{
	struct {
		struct header h;
		uint32_t lapic_addr;
		uint32_t flags;
		uint8_t entries[1024];
	} __attribute__((packed)) m = { .lapic_addr = LAPIC_ADDR, .flags = MADT_PCAT_COMPAT };
	const struct madt_ioapic ioapic = { .type = 1, .length = sizeof(ioapic), .id = 0xff,
					    .addr = IOAPIC_ADDR };
	/* The timer comes in at pin 2; the SCI is level triggered, active high. */
	const struct madt_override timer = { .type = 2, .length = sizeof(timer), .source = 0,
					     .gsi = 2 };
	const struct madt_override sci = { .type = 2, .length = sizeof(sci), .source = IRQ_SCI,
					   .gsi = IRQ_SCI, .flags = 0xd };
	const struct madt_nmi nmi = { .type = 4, .length = sizeof(nmi), .processor = 0xff,
				      .lint = 1 };
	uint8_t *p = m.entries;

	for (unsigned int i = 0; i < cpus; i++) {
		struct madt_lapic l = { .type = 0, .length = sizeof(l), .processor = (uint8_t)i,
					.apic = (uint8_t)i, .flags = 1 };

		p = mempcpy(p, &l, sizeof(l));
	}
	p = mempcpy(p, &ioapic, sizeof(ioapic));
	p = mempcpy(p, &timer, sizeof(timer));
	p = mempcpy(p, &sci, sizeof(sci));
	p = mempcpy(p, &nmi, sizeof(nmi));
	finish(&m.h, "APIC", 4, (size_t)(p - (uint8_t *)&m));
	return put(c, &m, m.h.length);
}

static uint32_t put_xsdt(struct cursor *c, uint32_t fadt, uint32_t madt)
{
	struct {
		struct header h;
		uint64_t tables[2];
	} __attribute__((packed)) x = { .tables = { fadt, madt } };

	finish(&x.h, "XSDT", 1, sizeof(x));
	return put(c, &x, sizeof(x));
}

/**
 * acpi_load() - write all tables into RAM
 * @mem:   guest RAM
 * @cpus:  how many vCPUs
 * @mem64: start of the PCI window above RAM
 *
 * Context: vCPUs stand still.
 * Return: the guest-physical address of the RSDP.
 */
uint64_t acpi_load(const struct guest_memory *mem, unsigned int cpus, uint64_t mem64)
{
	struct facs facs = { .signature = "FACS", .length = sizeof(facs) };
	struct rsdp rsdp = { .signature = "RSD PTR ", .oem = "KVHOST", .revision = 2,
			     .length = sizeof(rsdp) };
	uint64_t info[2] = { mem64, mem64 + MEMORY_PCI64_SIZE - 1 };
	struct cursor c = { .off = (uint32_t)align_up(sizeof(rsdp), 64) };
	uint32_t dsdt, fadt, madt;

	_Static_assert(sizeof(dsdt_aml_code) <= 2048, "room for the other tables");
	c.base = memory_at(mem, TABLES_START, TABLES_END - TABLES_START);
	memcpy(memory_at(mem, INFO_ADDR, sizeof(info)), info, sizeof(info));
	dsdt = put(&c, dsdt_aml_code, sizeof(dsdt_aml_code));
	fadt = put_fadt(&c, put(&c, &facs, sizeof(facs)), dsdt);
	madt = put_madt(&c, cpus);
	rsdp.xsdt = put_xsdt(&c, fadt, madt);
	rsdp.checksum = checksum(&rsdp, 20);
	rsdp.checksum2 = checksum(&rsdp, sizeof(rsdp));
	memcpy(c.base, &rsdp, sizeof(rsdp));
	return TABLES_START;
}
