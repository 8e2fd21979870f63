// SPDX-License-Identifier: GPL-2.0
/*
 * boot.c - Linux's x86 boot protocol (Documentation/x86/boot.rst).
 *
 * A bzImage is entered at its 32-bit entry point, a vmlinux at its 64-bit one,
 * with boot parameters, an initial RAM disk and a command line in RAM, as a
 * boot loader leaves them. boot_open() runs once and complains in words; it keeps the files open so
 * that boot_load() can write RAM afresh after every reset, from inside the
 * sandbox too.
 */
#include <asm/bootparam.h>
#include <asm/e820.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "boot.h"
#include "boot_elf.h"
#include "memory.h"
#include "options.h"
#include "util.h"
#include "vcpu.h"

/* What lies where in low memory. */
#define GDT_ADDR		0x500
#define PAGES_ADDR		0x1000		/* three page tables */
#define PARAMS_ADDR		0x10000
#define PAGES_COVER		(1ULL << 30)
#define CMDLINE_ADDR		0x20000
#define CMDLINE_BYTES		0x10000
#define LOW_END			0x9f000
#define MPF_ADDR		0x9fc00		/* last KiB of base memory */
#define HIGH_START		0x100000

#define SETUP_HEADER_OFFSET	0x1f1
#define SECTOR			512
#define MAGIC			0x53726448	/* "HdrS" */
#define PROTOCOL_MIN		0x0206		/* cmdline_size */
#define PROTOCOL_RELOCATE	0x020a		/* pref_address, init_size */
#define LOADER_UNKNOWN		0xff

/* What a boot header would have said of a vmlinux. */
#define VMLINUX_CMDLINE_MAX	2047
#define VMLINUX_INITRD_MAX	0x7fffffff

/* What the kernel needs above its load address when it does not say. */
#define INIT_SIZE_GUESS		(64ULL << 20)

struct boot {
	const struct options *opt;
	int kernel_fd;
	uint64_t kernel_size;
	int initrd_fd;
	uint64_t initrd_size;
	bool is_elf;
	struct boot_elf elf;
	struct setup_header header;
	uint64_t setup_bytes;	/* real-mode part of the file, not loaded */
	uint64_t load_addr;
	uint64_t initrd_addr;
	char cmdline[4096];
};

static int open_file(const char *what, const char *path, int *fd, uint64_t *size)
{
	struct stat st;
	int err;

	*fd = open(path, O_RDONLY | O_CLOEXEC);
	if (*fd < 0 || fstat(*fd, &st) < 0) {
		err = -errno;
		log_error("cannot open the %s '%s': %m", what, path);
		return err;
	}
	if (!S_ISREG(st.st_mode)) {
		log_error("the %s '%s' is not a regular file", what, path);
		return -EINVAL;
	}
	*size = (uint64_t)st.st_size;
	return 0;
}

static int bad_kernel(const struct boot *b, const char *why)
{
	log_error("--kernel: '%s' cannot be booted: %s; use a bzImage (/boot/vmlinuz-*) or vmlinux",
		  b->opt->kernel, why);
	return -EINVAL;
}

static int read_elf(struct boot *b)
{
	const char *wrong = boot_elf_open(&b->elf, b->kernel_fd, b->kernel_size);

	if (wrong)
		return bad_kernel(b, wrong);
	b->is_elf = true;
	b->header = (struct setup_header){
		.boot_flag = 0xaa55,
		.header = MAGIC,
		.version = PROTOCOL_RELOCATE,
		.loadflags = LOADED_HIGH,
		.cmdline_size = VMLINUX_CMDLINE_MAX,
		.initrd_addr_max = VMLINUX_INITRD_MAX,
	};
	return 0;
}

static int read_header(struct boot *b)
{
	uint8_t sector[2 * SECTOR] = { 0 };
	struct setup_header *h = &b->header;
	size_t len;

	if (boot_elf_probe(b->kernel_fd))
		return read_elf(b);
	if (b->kernel_size < sizeof(sector))
		return bad_kernel(b, "the file is too short");
	if (read_at(b->kernel_fd, sector, sizeof(sector), 0))
		return bad_kernel(b, "the file cannot be read");
	memcpy(h, sector + SETUP_HEADER_OFFSET, sizeof(*h));
	if (h->boot_flag != 0xaa55 || h->header != MAGIC)
		return bad_kernel(b, "it has no boot header");
	if (h->version < PROTOCOL_MIN)
		return bad_kernel(b, "its boot protocol is older than 2.06");
	if (!(h->loadflags & LOADED_HIGH))
		return bad_kernel(b, "it is a zImage");
	/* The header ends where the jump at 0x200 leads; the rest is not ours to copy. */
	len = 0x202 + sector[0x201] - SETUP_HEADER_OFFSET;
	if (len < sizeof(*h))
		memset((uint8_t *)h + len, 0, sizeof(*h) - len);
	b->setup_bytes = ((h->setup_sects ? h->setup_sects : 4) + 1) * SECTOR;
	if (b->setup_bytes >= b->kernel_size)
		return bad_kernel(b, "the file ends before the kernel begins");
	/* In units of 16 bytes, the last of which need not be full. */
	if (b->setup_bytes + (uint64_t)h->syssize * 16 >= b->kernel_size + 16)
		return bad_kernel(b, "the file is cut short: its header says that it is longer");
	return 0;
}

static bool has_word(const char *line, const char *word)
{
	size_t len = strlen(word);
	const char *p = line;

	while ((p = strstr(p, word))) {
		if (p == line || p[-1] == ' ')
			return true;
		p += len;
	}
	return false;
}

static int make_cmdline(struct boot *b)
{
	const struct options *opt = b->opt;
	const char *append = opt->append ? opt->append : "";
	bool console = opt->serial != SERIAL_NONE && !has_word(append, "console=");
	/* A panic that waits for ever would look like a guest that still runs. */
	bool panic = opt->no_reboot && !has_word(append, "panic=");
	size_t max = b->header.cmdline_size;
	int n;

	if (max >= sizeof(b->cmdline))
		max = sizeof(b->cmdline) - 1;
	/*
	 * Without noearly Linux looks for an AGP bridge on 256 buses, 16384
	 * exits that find nothing.
	 */
	n = snprintf(b->cmdline, sizeof(b->cmdline), "pci=noearly %s%s%s",
		     console ? "console=ttyS0 " : "", panic ? "panic=-1 " : "", append);
	if (n < 0 || (size_t)n > max) {
		log_error("--append: the command line has %d bytes, this kernel takes %zu",
			  n, max);
		return -EINVAL;
	}
	return 0;
}

static uint64_t init_size(const struct boot *b)
{
	uint64_t payload = b->kernel_size - b->setup_bytes;
	uint64_t need = b->header.version >= PROTOCOL_RELOCATE ? b->header.init_size : 0;

	return need > payload ? need : payload + INIT_SIZE_GUESS;
}

static unsigned long long mib(uint64_t bytes)
{
	return (bytes + (1ULL << 20) - 1) >> 20;
}

/* Decide on addresses, so that what does not fit is said before anything is set up. */
static int place(struct boot *b)
{
	uint64_t low = b->opt->memory < MEMORY_HOLE_START ? b->opt->memory : MEMORY_HOLE_START;
	uint64_t top = low - 1 < b->header.initrd_addr_max ? low :
		       (uint64_t)b->header.initrd_addr_max + 1;
	uint64_t end;

	if (b->is_elf) {
		b->load_addr = b->elf.start;
		end = b->elf.end;
		if (b->load_addr < HIGH_START || end > PAGES_COVER)
			return bad_kernel(b, "it does not lie between 1 MiB and 1 GiB");
	} else {
		/* A kernel loaded lower would move itself up to this address. */
		b->load_addr = HIGH_START;
		if (b->header.version >= PROTOCOL_RELOCATE &&
		    b->header.pref_address > HIGH_START)
			b->load_addr = b->header.pref_address;
		end = b->load_addr + init_size(b);
	}
	if (end > low) {
		log_error("--memory: '%lluM' is too little; this kernel needs %lluM to unpack",
			  mib(low), mib(end));
		return -ENOMEM;
	}
	b->initrd_addr = (top - b->initrd_size) & ~4095ULL;
	if (b->initrd_size && (b->initrd_size > top || b->initrd_addr < end)) {
		log_error("--memory: kernel and initrd need %llu MiB, but there are %llu",
			  mib(end + b->initrd_size), mib(top));
		return -ENOMEM;
	}
	return 0;
}

/**
 * boot_open() - open and check what is to be booted
 * @boot: set on success
 * @opt:  outlives it
 *
 * Return: 0, -ENOMEM, -EINVAL for files or a command line that will not do, or
 * the errno of open(); a line on stderr says which.
 */
int boot_open(struct boot **boot, const struct options *opt)
{
	struct boot *b = calloc(1, sizeof(*b));
	int err;

	if (!b)
		return -ENOMEM;
	b->opt = opt;
	b->initrd_fd = -1;
	err = open_file("kernel", opt->kernel, &b->kernel_fd, &b->kernel_size);
	if (!err)
		err = read_header(b);
	if (!err && opt->initrd)
		err = open_file("initrd", opt->initrd, &b->initrd_fd, &b->initrd_size);
	if (!err)
		err = make_cmdline(b);
	if (!err)
		err = place(b);
	if (err) {
		boot_close(b);
		return err;
	}
	*boot = b;
	return 0;
}

/**
 * boot_close() - close the files
 * @boot: from boot_open(), or NULL
 */
void boot_close(struct boot *boot)
{
	if (!boot)
		return;
	if (boot->kernel_fd >= 0)
		close(boot->kernel_fd);
	if (boot->initrd_fd >= 0)
		close(boot->initrd_fd);
	free(boot);
}

static void e820_add(struct boot_params *p, uint64_t start, uint64_t end, uint32_t type)
{
	struct boot_e820_entry *e = &p->e820_table[p->e820_entries++];

	e->addr = start;
	e->size = end - start;
	e->type = type;
}

static void fill_e820(struct boot_params *p, const struct guest_memory *mem)
{
	const struct mem_region *low = &mem->regions[0];

	e820_add(p, 0, LOW_END, E820_RAM);
	e820_add(p, LOW_END, HIGH_START, E820_RESERVED);
	e820_add(p, HIGH_START, low->size, E820_RAM);
	e820_add(p, MEMORY_PCI32_END, MEMORY_HOLE_END, E820_RESERVED);
	for (unsigned int i = 1; i < mem->nr; i++)
		e820_add(p, mem->regions[i].gpa, mem->regions[i].gpa + mem->regions[i].size,
			 E820_RAM);
}

static int load_file(int fd, const char *path, uint64_t off, uint64_t len,
		     const struct guest_memory *mem, uint64_t gpa)
{
	void *to = memory_at(mem, gpa, len);
	int err = to ? read_at(fd, to, len, (off_t)off) : -EFAULT;

	if (err)
		log_error("cannot read '%s': %s", path, strerror(-err));
	return err;
}

/*
 * Linux looks for a multiprocessor table (MP 1.4, 4.1) even when ACPI has all it
 * needs, and maps and unmaps 64 KiB for every 16 bytes it looks at: 70,000
 * page flushes, seconds of a boot where those exit. So let it find one here,
 * before it gets there. Default configuration 5 (ISA, PCI, an IOAPIC) is what
 * it would then go by if ACPI were switched off.
 */
static void fill_mp_pointer(const struct guest_memory *mem)
{
	uint8_t *p = memory_at(mem, MPF_ADDR, 16);
	uint8_t sum = 0;

	memcpy(p, "_MP_\0\0\0\0\1\4\0\5\0\0\0\0", 16);
	for (int i = 0; i < 16; i++)
		sum += p[i];
	p[10] = (uint8_t)-sum;
}

/* The first gigabyte at its own addresses, for the 64-bit entry point. */
static void fill_pages(const struct guest_memory *mem)
{
	enum { PRESENT = 1, WRITABLE = 2, LARGE = 0x80, ENTRIES = 512 };
	uint64_t *pml4 = memory_at(mem, PAGES_ADDR, 3 * 4096);
	uint64_t *pdpt = pml4 + ENTRIES, *pd = pdpt + ENTRIES;

	memset(pml4, 0, 3 * 4096);
	pml4[0] = (PAGES_ADDR + 0x1000) | PRESENT | WRITABLE;
	pdpt[0] = (PAGES_ADDR + 0x2000) | PRESENT | WRITABLE;
	for (uint64_t i = 0; i < ENTRIES; i++)
		pd[i] = i << 21 | PRESENT | WRITABLE | LARGE;
}

static int load_kernel(const struct boot *b, const struct guest_memory *mem)
{
	int err;

	if (!b->is_elf)
		return load_file(b->kernel_fd, b->opt->kernel, b->setup_bytes,
				 b->kernel_size - b->setup_bytes, mem, b->load_addr);
	fill_pages(mem);
	err = boot_elf_load(&b->elf, b->kernel_fd, mem);
	if (err)
		log_error("cannot read '%s': %s", b->opt->kernel, strerror(-err));
	return err;
}

static void fill_params(const struct boot *b, struct boot_params *p, uint64_t rsdp)
{
	memset(p, 0, sizeof(*p));
	p->hdr = b->header;
	p->hdr.type_of_loader = LOADER_UNKNOWN;
	p->hdr.cmd_line_ptr = CMDLINE_ADDR;
	p->hdr.code32_start = (uint32_t)b->load_addr;
	if (b->initrd_size) {
		p->hdr.ramdisk_image = (uint32_t)b->initrd_addr;
		p->hdr.ramdisk_size = (uint32_t)b->initrd_size;
	}
	p->acpi_rsdp_addr = rsdp;
}

/**
 * boot_load() - write kernel, initrd, command line and parameters into RAM
 * @boot:  from boot_open()
 * @mem:   guest RAM of the size the options name
 * @rsdp:  guest-physical address of the ACPI tables
 * @entry: where the boot processor begins
 *
 * Context: vCPUs stand still.
 * Return: 0, or the errno of pread() after a line on stderr.
 */
int boot_load(struct boot *boot, const struct guest_memory *mem, uint64_t rsdp,
	      struct vcpu_boot *entry)
{
	/* Null, unused, code and data: selectors 0x10 and 0x18 as the protocol fixes them. */
	const uint64_t gdt[] = { 0, 0,
				 boot->is_elf ? 0x00af9b000000ffff : 0x00cf9b000000ffff,
				 0x00cf93000000ffff };
	struct boot_params *params = memory_at(mem, PARAMS_ADDR, sizeof(*params));
	char *cmdline = memory_at(mem, CMDLINE_ADDR, CMDLINE_BYTES);
	void *table = memory_at(mem, GDT_ADDR, sizeof(gdt));
	int err;

	_Static_assert(sizeof(boot->cmdline) <= CMDLINE_BYTES, "room for the command line");
	if (!params || !cmdline || !table)
		return -EFAULT;
	fill_params(boot, params, rsdp);
	fill_e820(params, mem);
	fill_mp_pointer(mem);
	memcpy(table, gdt, sizeof(gdt));
	memcpy(cmdline, boot->cmdline, sizeof(boot->cmdline));
	err = load_kernel(boot, mem);
	if (!err && boot->initrd_size)
		err = load_file(boot->initrd_fd, boot->opt->initrd, 0, boot->initrd_size, mem,
				boot->initrd_addr);
	*entry = (struct vcpu_boot){
		.entry = (uint32_t)(boot->is_elf ? boot->elf.entry : boot->load_addr),
		.pages = boot->is_elf ? PAGES_ADDR : 0,
		.params = PARAMS_ADDR,
		.gdt = GDT_ADDR,
		.gdt_limit = sizeof(gdt) - 1,
	};
	return err;
}
