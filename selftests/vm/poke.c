// SPDX-License-Identifier: GPL-2.0
/*
 * A hostile driver inside a guest: drives a virtio-blk PCI device that no
 * kernel driver holds, straight through its BARs, and offers it a malformed
 * chain (HD-010, HD-012).
 *
 *	poke DIRECTORY-OF-THE-DEVICE-IN-SYSFS
 *
 * Says on stdout, a line each, what came true:
 *
 *	GOOD          a well-formed read on queue 0 works
 *	NEEDS-RESET   after the malformed chain the device asks for a reset
 *	SILENT        and does not use that chain, nor the ones after it
 *	REVIVED       after a reset the same read works again
 *
 * and on stderr what did not. One page of our own memory holds everything the
 * device reaches; /proc/self/pagemap tells where it is.
 */
#include <fcntl.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>
#include <linux/pci_regs.h>
#include <linux/virtio_blk.h>
#include <linux/virtio_config.h>
#include <linux/virtio_pci.h>
#include <linux/virtio_ring.h>

#define QUEUE		8
#define LIMIT_S		20
#define VERSION_1_HIGH	(1u << (VIRTIO_F_VERSION_1 - 32))

/* Registers: one access each, not torn, not left out. */
#define GET(reg)	__atomic_load_n(&(reg), __ATOMIC_SEQ_CST)
#define PUT(reg, v)	__atomic_store_n(&(reg), v, __ATOMIC_SEQ_CST)

/* The page the device sees; parts aligned as 2.7 wants them. */
struct page {
	struct vring_desc desc[QUEUE];
	struct {
		uint16_t flags;
		uint16_t idx;
		uint16_t ring[QUEUE];
	} avail;
	struct {
		uint16_t flags;
		uint16_t idx;
		struct vring_used_elem ring[QUEUE];
	} used __attribute__((aligned(4)));
	struct virtio_blk_outhdr hdr;
	uint8_t data[512];
	uint8_t status;
};

struct device {
	struct virtio_pci_common_cfg *cfg;
	uint8_t *notify;
	uint32_t notify_step;
	struct page *page;
	uint64_t phys;
};

static _Noreturn void fail(const char *what)
{
	perror(what);
	exit(1);
}

static bool late(const struct timespec *start)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec - start->tv_sec > LIMIT_S;
}

static void *map_bar(const char *dir, unsigned int bar)
{
	char path[256];
	struct stat st;
	void *va;
	int fd;

	snprintf(path, sizeof(path), "%s/resource%u", dir, bar);
	fd = open(path, O_RDWR | O_SYNC);
	if (fd < 0 || fstat(fd, &st))
		fail(path);
	va = mmap(NULL, st.st_size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (va == MAP_FAILED)
		fail(path);
	close(fd);
	return va;
}

/* Turn the device on; find its common configuration and its doorbells in memory. */
static void find(struct device *d, const char *dir)
{
	uint8_t conf[256];
	char path[256];
	uint16_t cmd;
	uint8_t at;
	int fd;

	snprintf(path, sizeof(path), "%s/config", dir);
	fd = open(path, O_RDWR);
	if (fd < 0 || pread(fd, conf, sizeof(conf), 0) != sizeof(conf))
		fail(path);
	memcpy(&cmd, conf + PCI_COMMAND, 2);
	cmd |= PCI_COMMAND_MEMORY | PCI_COMMAND_MASTER;
	if (pwrite(fd, &cmd, 2, PCI_COMMAND) != 2)
		fail(path);
	for (at = conf[PCI_CAPABILITY_LIST]; at; at = conf[at + 1]) {
		struct virtio_pci_notify_cap cap;
		uint8_t *va;

		if (conf[at] != PCI_CAP_ID_VNDR)
			continue;
		memcpy(&cap, conf + at, sizeof(cap));
		if (conf[PCI_BASE_ADDRESS_0 + 4 * cap.cap.bar] & PCI_BASE_ADDRESS_SPACE_IO)
			continue;
		if (cap.cap.cfg_type == VIRTIO_PCI_CAP_COMMON_CFG && !d->cfg) {
			va = map_bar(dir, cap.cap.bar);
			d->cfg = (void *)(va + cap.cap.offset);
		} else if (cap.cap.cfg_type == VIRTIO_PCI_CAP_NOTIFY_CFG && !d->notify) {
			va = map_bar(dir, cap.cap.bar);
			d->notify = va + cap.cap.offset;
			d->notify_step = cap.notify_off_multiplier;
		}
	}
	close(fd);
	if (!d->cfg || !d->notify)
		fail("no virtio capabilities");
}

static void get_page(struct device *d)
{
	uint64_t entry;
	int fd;

	d->page = mmap(NULL, 4096, PROT_READ | PROT_WRITE,
		       MAP_PRIVATE | MAP_ANONYMOUS | MAP_LOCKED | MAP_POPULATE, -1, 0);
	if (d->page == MAP_FAILED)
		fail("mmap");
	memset(d->page, 0, sizeof(*d->page));
	fd = open("/proc/self/pagemap", O_RDONLY);
	if (fd < 0 || pread(fd, &entry, 8, (uintptr_t)d->page / 4096 * 8) != 8)
		fail("/proc/self/pagemap");
	close(fd);
	d->phys = (entry & ((1ull << 55) - 1)) * 4096;
	if (!d->phys)
		fail("pagemap hides the page");
}

static uint64_t phys(const struct device *d, const void *p)
{
	return d->phys + ((uintptr_t)p - (uintptr_t)d->page);
}

static void reset(struct device *d)
{
	struct timespec start;

	PUT(d->cfg->device_status, 0);
	clock_gettime(CLOCK_MONOTONIC, &start);
	while (GET(d->cfg->device_status))
		if (late(&start))
			fail("status stays after it was cleared");
}

/* From reset to DRIVER_OK with queue 0 (3.1.1). */
static void set_up(struct device *d)
{
	struct virtio_pci_common_cfg *c = d->cfg;
	struct page *p = d->page;
	uint64_t desc = phys(d, p->desc), avail = phys(d, &p->avail), used = phys(d, &p->used);

	reset(d);
	memset(p, 0, sizeof(*p));
	PUT(c->device_status, VIRTIO_CONFIG_S_ACKNOWLEDGE);
	PUT(c->device_status, VIRTIO_CONFIG_S_ACKNOWLEDGE | VIRTIO_CONFIG_S_DRIVER);
	PUT(c->guest_feature_select, 0);
	PUT(c->guest_feature, 0);
	PUT(c->guest_feature_select, 1);
	PUT(c->guest_feature, VERSION_1_HIGH);
	PUT(c->device_status, GET(c->device_status) | VIRTIO_CONFIG_S_FEATURES_OK);
	if (!(GET(c->device_status) & VIRTIO_CONFIG_S_FEATURES_OK))
		fail("features are refused");
	PUT(c->queue_select, 0);
	PUT(c->queue_size, QUEUE);
	PUT(c->queue_msix_vector, VIRTIO_MSI_NO_VECTOR);
	PUT(c->queue_desc_lo, desc);
	PUT(c->queue_desc_hi, desc >> 32);
	PUT(c->queue_avail_lo, avail);
	PUT(c->queue_avail_hi, avail >> 32);
	PUT(c->queue_used_lo, used);
	PUT(c->queue_used_hi, used >> 32);
	PUT(c->queue_enable, 1);
	PUT(c->device_status, GET(c->device_status) | VIRTIO_CONFIG_S_DRIVER_OK);
}

/* Lay a read of sector 0 into descriptors 0 to 2. */
static void lay_read(struct device *d)
{
	struct page *p = d->page;

	p->hdr = (struct virtio_blk_outhdr) { .type = VIRTIO_BLK_T_IN };
	p->status = 0xee;
	p->desc[0] = (struct vring_desc) {
		phys(d, &p->hdr), 16, VRING_DESC_F_NEXT, 1 };
	p->desc[1] = (struct vring_desc) {
		phys(d, p->data), 512, VRING_DESC_F_NEXT | VRING_DESC_F_WRITE, 2 };
	p->desc[2] = (struct vring_desc) {
		phys(d, &p->status), 1, VRING_DESC_F_WRITE, 0 };
}

static void offer(struct device *d)
{
	struct page *p = d->page;
	uint16_t *bell;

	p->avail.ring[p->avail.idx % QUEUE] = 0;
	__atomic_store_n(&p->avail.idx, p->avail.idx + 1, __ATOMIC_RELEASE);
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	PUT(d->cfg->queue_select, 0);
	bell = (uint16_t *)(d->notify + GET(d->cfg->queue_notify_off) * d->notify_step);
	PUT(*bell, 0);
}

static bool read_works(struct device *d)
{
	struct page *p = d->page;
	struct timespec start;

	lay_read(d);
	offer(d);
	clock_gettime(CLOCK_MONOTONIC, &start);
	while (__atomic_load_n(&p->used.idx, __ATOMIC_ACQUIRE) != p->avail.idx)
		if (late(&start))
			return false;
	return p->status == VIRTIO_BLK_S_OK;
}

static bool needs_reset(struct device *d)
{
	struct timespec start;

	lay_read(d);
	d->page->desc[1].next = 4095;
	offer(d);
	clock_gettime(CLOCK_MONOTONIC, &start);
	while (!(GET(d->cfg->device_status) & VIRTIO_CONFIG_S_NEEDS_RESET))
		if (late(&start))
			return false;
	return true;
}

static int say(bool ok, const char *word)
{
	fprintf(ok ? stdout : stderr, "%s%s\n", ok ? "" : "poke: not ", word);
	return !ok;
}

int main(int argc, char **argv)
{
	struct device d = { };
	uint16_t used;
	int bad;

	if (argc != 2) {
		fprintf(stderr, "usage: poke DIRECTORY-OF-THE-DEVICE-IN-SYSFS\n");
		return 2;
	}
	find(&d, argv[1]);
	get_page(&d);
	set_up(&d);
	bad = say(read_works(&d), "GOOD");
	used = d.page->used.idx;
	bad |= say(needs_reset(&d), "NEEDS-RESET");
	lay_read(&d);
	offer(&d);
	reset(&d);	/* which waits for whatever was still to come */
	bad |= say(d.page->used.idx == used, "SILENT");
	set_up(&d);
	bad |= say(read_works(&d), "REVIVED");
	reset(&d);
	return bad;
}
