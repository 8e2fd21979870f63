// SPDX-License-Identifier: GPL-2.0
/*
 * memory.c - guest RAM.
 *
 * RAM is one private anonymous mapping per stretch, populated on first touch.
 * It lies below the hole at 3 GiB and goes on at 4 GiB. The table is built
 * once; pages stay mapped until every user has stopped, so a host address from
 * memory_at() is good for as long as the VM lives.
 */
#include <errno.h>
#include <linux/kvm.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>

#include "memory.h"
#include "util.h"

#define LARGE_PAGE	(2ULL << 20)
#define HUGE_PAGE	(1ULL << 30)

/*
 * Map @size bytes at an address equal to @gpa modulo the largest page that fits.
 * KVM maps a slot by large pages only if the two agree in those bits.
 */
static void *map_congruent(uint64_t gpa, uint64_t size)
{
	uint64_t align = size >= HUGE_PAGE ? HUGE_PAGE : LARGE_PAGE;
	uint64_t room = size + align, skip;
	uint8_t *p;

	p = mmap(NULL, room, PROT_READ | PROT_WRITE,
		 MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (p == MAP_FAILED)
		return MAP_FAILED;
	skip = (gpa - (uintptr_t)p) & (align - 1);
	if (skip)
		munmap(p, skip);
	munmap(p + skip + size, align - skip);
	return p + skip;
}

static int region_add(struct guest_memory *mem, uint64_t gpa, uint64_t size)
{
	void *p = map_congruent(gpa, size);

	if (p == MAP_FAILED)
		return -errno;
	/* A large page saves a shadow or nested walk a level; without it all works the same. */
	(void)madvise(p, size, MADV_HUGEPAGE);
	/* A core file is about us, not about the guest. */
	(void)madvise(p, size, MADV_DONTDUMP);
	mem->regions[mem->nr++] = (struct mem_region){ .gpa = gpa, .size = size, .hva = p };
	return 0;
}

/**
 * memory_create() - map guest RAM
 * @mem:   filled in
 * @bytes: how much, page aligned
 *
 * Return: 0 or the errno of mmap(), -ENOMEM mostly.
 */
int memory_create(struct guest_memory *mem, uint64_t bytes)
{
	uint64_t low = bytes < MEMORY_HOLE_START ? bytes : MEMORY_HOLE_START;
	int err;

	memset(mem, 0, sizeof(*mem));
	err = region_add(mem, 0, low);
	if (!err && bytes > low)
		err = region_add(mem, MEMORY_HOLE_END, bytes - low);
	if (err)
		memory_destroy(mem);
	return err;
}

/**
 * memory_destroy() - unmap guest RAM
 * @mem: from memory_create(); nothing may use it any more
 */
void memory_destroy(struct guest_memory *mem)
{
	while (mem->nr) {
		struct mem_region *r = &mem->regions[--mem->nr];

		munmap(r->hva, r->size);
	}
}

/**
 * memory_register() - make RAM visible to the guest
 * @mem:   from memory_create()
 * @vm_fd: KVM's VM
 *
 * Return: 0 or the errno of KVM_SET_USER_MEMORY_REGION.
 */
int memory_register(const struct guest_memory *mem, int vm_fd)
{
	for (unsigned int i = 0; i < mem->nr; i++) {
		const struct mem_region *r = &mem->regions[i];
		struct kvm_userspace_memory_region kr = {
			.slot = i,
			.guest_phys_addr = r->gpa,
			.memory_size = r->size,
			.userspace_addr = (uintptr_t)r->hva,
		};

		if (ioctl(vm_fd, KVM_SET_USER_MEMORY_REGION, &kr) < 0)
			return -errno;
	}
	return 0;
}

/**
 * memory_at() - translate a guest-physical range
 * @mem: from memory_create()
 * @gpa: start
 * @len: bytes, may be 0
 *
 * Return: the address in this process, or NULL unless one region holds it all.
 */
void *memory_at(const struct guest_memory *mem, uint64_t gpa, uint64_t len)
{
	for (unsigned int i = 0; i < mem->nr; i++) {
		const struct mem_region *r = &mem->regions[i];

		if (gpa < r->gpa || gpa - r->gpa >= r->size)
			continue;
		if (len > r->size - (gpa - r->gpa))
			return NULL;
		return r->hva + (gpa - r->gpa);
	}
	return NULL;
}

/**
 * memory_end() - where addresses are free again
 * @mem: from memory_create()
 *
 * Return: the first guest-physical address above RAM and above the hole.
 */
uint64_t memory_end(const struct guest_memory *mem)
{
	const struct mem_region *last = &mem->regions[mem->nr - 1];
	uint64_t end = last->gpa + last->size;

	return end < MEMORY_HOLE_END ? MEMORY_HOLE_END : end;
}
