// SPDX-License-Identifier: GPL-2.0
/*
 * memmap.c - the table of guest memory regions and copies through it.
 *
 * A table is immutable once built. The device owns it; each queue holds a
 * pointer under its lock, and kvh_dev_set_map() replaces the pointers only
 * after nothing in flight uses the old table. In registered mode its pages are
 * pinned (regmem.c) and copied from and to without user access. Regions are sorted by guest
 * address and do not overlap, so a look-up is a bisection after a try at the
 * region hit last. Every address and length that comes from the guest is held
 * against the table here and nowhere else.
 */
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/overflow.h>
#include <linux/slab.h>
#include <linux/sort.h>
#include <linux/uaccess.h>
#include "core.h"

static ushort max_mem_regions = 64;
module_param(max_mem_regions, ushort, 0444);
MODULE_PARM_DESC(max_mem_regions, "Maximum number of memory regions in a table (default: 64)");

/* By guest address; of two regions at the same one, the one given first. */
static int memmap_cmp(const void *a, const void *b)
{
	const struct vhost_memory_region *ra = a, *rb = b;

	if (ra->guest_phys_addr != rb->guest_phys_addr)
		return ra->guest_phys_addr < rb->guest_phys_addr ? -1 : 1;
	return ra->flags_padding < rb->flags_padding ? -1 : 1;
}

/*
 * What vhost refuses at once: a region that is empty or wraps. It takes an empty
 * one at address 0 for all addresses there are, which are never all in user memory.
 */
static bool memmap_region_ok(const struct vhost_memory_region *u)
{
	u64 last;

	if (!u->memory_size)
		return !u->guest_phys_addr;
	return !check_add_overflow(u->guest_phys_addr, u->memory_size - 1, &last);
}

static bool memmap_region_usable(const struct vhost_memory_region *u)
{
	return u->memory_size && u->userspace_addr == (unsigned long)u->userspace_addr &&
	       access_ok((void __user *)(unsigned long)u->userspace_addr, u->memory_size);
}

/* Of regions that overlap the one that begins first counts, as in vhost. */
static void memmap_add(struct kvh_memmap *map, const struct vhost_memory_region *u, u64 *covered)
{
	u64 last = u->guest_phys_addr + (u->memory_size - 1), skip = 0;

	if (map->nr && u->guest_phys_addr <= *covered) {
		if (last <= *covered)
			return;
		skip = *covered + 1 - u->guest_phys_addr;
	}
	map->region[map->nr++] = (struct kvh_region) {
		.gpa = u->guest_phys_addr + skip,
		.size = u->memory_size - skip,
		.uaddr = u->userspace_addr + skip,
	};
	*covered = last;
}

static int memmap_fill(struct kvh_memmap *map, struct vhost_memory_region *regions,
		       unsigned int nr)
{
	u64 covered = 0;
	unsigned int i;

	for (i = 0; i < nr; i++) {
		if (!memmap_region_ok(&regions[i]))
			return -EFAULT;
		regions[i].flags_padding = i;
	}
	sort(regions, nr, sizeof(*regions), memmap_cmp, NULL);
	for (i = 0; i < nr; i++) {
		if (memmap_region_usable(&regions[i]))
			memmap_add(map, &regions[i], &covered);
		else
			map->unusable = true;
	}
	return 0;
}

/**
 * kvh_memmap_alloc() - make a table without regions
 * @nr: regions there is room for
 *
 * Context: Process context.
 * Return: the table, to be freed by kvfree(); NULL without memory
 */
struct kvh_memmap *kvh_memmap_alloc(unsigned int nr)
{
	struct kvh_memmap *map;

	return kvzalloc(struct_size(map, region, nr), GFP_KERNEL_ACCOUNT);
}

/**
 * kvh_memmap_from_user() - build a region table from VHOST_SET_MEM_TABLE's argument
 * @um: the table in the caller's memory
 *
 * A table with a region outside user memory is accepted as in vhost, and is
 * marked as one that no queue may run with.
 *
 * Context: Process context of the owner.
 * Return: the table, to be freed by kvfree(); or an ERR_PTR: -EFAULT for an
 * unreadable argument or an empty or wrapping region, -EOPNOTSUPP for padding
 * that is not zero, -E2BIG for more regions than max_mem_regions, -ENOMEM.
 */
struct kvh_memmap *kvh_memmap_from_user(const struct vhost_memory __user *um)
{
	struct vhost_memory_region *regions;
	struct kvh_memmap *map;
	struct vhost_memory mem;
	size_t size;
	int ret;

	if (copy_from_user(&mem, um, offsetof(struct vhost_memory, regions)))
		return ERR_PTR(-EFAULT);
	if (mem.padding)
		return ERR_PTR(-EOPNOTSUPP);
	if (mem.nregions > max_mem_regions)
		return ERR_PTR(-E2BIG);

	size = array_size(mem.nregions, sizeof(*regions));
	map = kvh_memmap_alloc(mem.nregions);
	regions = kvmalloc(size, GFP_KERNEL_ACCOUNT);
	if (!map || !regions)
		ret = -ENOMEM;
	else if (copy_from_user(regions, um->regions, size))
		ret = -EFAULT;
	else
		ret = memmap_fill(map, regions, mem.nregions);
	kvfree(regions);
	if (!ret)
		return map;
	kvfree(map);
	return ERR_PTR(ret);
}

static bool region_holds(const struct kvh_region *r, u64 gpa)
{
	return gpa >= r->gpa && gpa - r->gpa < r->size;
}

static const struct kvh_region *env_find(struct kvh_env *env, u64 gpa)
{
	const struct kvh_memmap *map = env->map;
	unsigned int lo = 0, hi, mid;

	if (!map)
		return NULL;
	if (env->last < map->nr && region_holds(&map->region[env->last], gpa))
		return &map->region[env->last];

	for (hi = map->nr; lo < hi;) {
		mid = lo + (hi - lo) / 2;
		if (region_holds(&map->region[mid], gpa)) {
			env->last = mid;
			return &map->region[mid];
		}
		if (gpa < map->region[mid].gpa)
			hi = mid;
		else
			lo = mid + 1;
	}
	return NULL;
}

/**
 * kvh_env_uaddr() - where a guest range begins in the owner's memory
 * @env:   guest memory of a queue
 * @addr:  address as the driver gave it
 * @len:   bytes wanted, not 0
 * @write: for writing
 * @uaddr: result: user address of @addr
 * @run:   result: bytes of the range that follow contiguously, 1 to @len
 *
 * Context: Queue lock held.
 * Return: 0; -EFAULT if @addr is in no region; with a device IOTLB -EAGAIN or
 * -EPERM as kvh_iotlb_find()
 */
int kvh_env_uaddr(struct kvh_env *env, u64 addr, u64 len, bool write, u64 *uaddr, u64 *run)
{
	const struct kvh_region *r;

	if (unlikely(env->iotlb))
		return kvh_iotlb_find(container_of(env, struct kvh_vq, env), addr, len,
				      write, uaddr, run);
	r = env_find(env, addr);
	if (unlikely(!r))
		return -EFAULT;
	*uaddr = r->uaddr + (addr - r->gpa);
	*run = min(len, r->size - (addr - r->gpa));
	return 0;
}

/**
 * kvh_env_registered() - is guest memory reached through the kernel's mapping?
 * @env: guest memory of a queue
 *
 * Context: Queue lock held.
 * Return: true in registered mode
 */
bool kvh_env_registered(const struct kvh_env *env)
{
	return env->map && env->map->registered;
}

static bool region_holds_user(const struct kvh_region *r, u64 uaddr)
{
	return uaddr >= r->uaddr && uaddr - r->uaddr < r->size;
}

/**
 * kvh_env_user_page() - the registered page behind an address of the owner
 * @env:   guest memory of a queue, registered
 * @uaddr: user address
 * @run:   result: bytes that follow contiguously in physical memory and in the
 *         region
 *
 * Context: Queue lock held.
 * Return: the page that holds @uaddr, those of @run follow it; NULL if @uaddr
 * is in no region
 */
struct page *kvh_env_user_page(struct kvh_env *env, u64 uaddr, u64 *run)
{
	const struct kvh_memmap *map = env->map;
	const struct kvh_region *r = &map->region[env->last];
	struct page *page;
	unsigned int i;

	/* Without an IOTLB the address was made from this region. */
	if (env->last >= map->nr || !region_holds_user(r, uaddr)) {
		for (i = 0; i < map->nr && !region_holds_user(&map->region[i], uaddr); i++)
			;
		if (i == map->nr)
			return NULL;
		env->last = i;
		r = &map->region[i];
	}
	page = kvh_regmem_page(r, uaddr, run);
	*run = min(*run, r->size - (uaddr - r->uaddr));
	return page;
}

/**
 * kvh_env_page() - the registered page at which a guest range begins
 * @env:   guest memory of a queue, registered
 * @addr:  address as the driver gave it
 * @len:   bytes wanted, not 0
 * @write: for writing
 * @page:  result: page that holds @addr
 * @uaddr: result: user address of @addr; its offset in the page is ours
 * @run:   result: bytes of the range that follow contiguously in physical
 *         memory, 1 to @len
 *
 * Context: Queue lock held.
 * Return: 0 or as kvh_env_uaddr()
 */
int kvh_env_page(struct kvh_env *env, u64 addr, u64 len, bool write, struct page **page,
		 u64 *uaddr, u64 *run)
{
	int ret = kvh_env_uaddr(env, addr, len, write, uaddr, run);
	u64 together;

	if (unlikely(ret))
		return ret;
	*page = kvh_env_user_page(env, *uaddr, &together);
	if (unlikely(!*page))
		return -EFAULT;
	*run = min(*run, together);
	return 0;
}

/* As env_copy(), through the kernel's own mapping. */
static int env_copy_registered(struct kvh_env *env, u64 gpa, void *buf, u64 len,
			       bool to_guest)
{
	struct page *page;
	u64 uaddr, run;
	void *va;
	int ret;

	BUILD_BUG_ON(IS_ENABLED(CONFIG_HIGHMEM));
	for (; len; gpa += run, buf += run, len -= run) {
		ret = kvh_env_page(env, gpa, len, to_guest, &page, &uaddr, &run);
		if (ret)
			return ret;
		va = page_address(page) + offset_in_page(uaddr);
		if (to_guest)
			memcpy(va, buf, run);
		else
			memcpy(buf, va, run);
	}
	return 0;
}

/* Copy between @buf and guest range [@gpa, @gpa + @len): 0 or as kvh_env_uaddr(). */
static int env_copy(struct kvh_env *env, u64 gpa, void *buf, u64 len, bool to_guest)
{
	u64 uaddr, run;
	unsigned long left;
	void __user *up;
	int ret;

	if (kvh_env_registered(env))
		return env_copy_registered(env, gpa, buf, len, to_guest);
	for (; len; gpa += run, buf += run, len -= run) {
		ret = kvh_env_uaddr(env, gpa, len, to_guest, &uaddr, &run);
		if (ret)
			return ret;
		up = (void __user *)(unsigned long)uaddr;
		container_of(env, struct kvh_vq, env)->stats.windows++;
		left = to_guest ? copy_to_user(up, buf, run) : copy_from_user(buf, up, run);
		if (unlikely(left))
			return -EFAULT;
	}
	return 0;
}

/**
 * kvh_env_read_guest() - copy from guest memory; the ring code's one way there
 * @env:  guest memory of a queue
 * @addr: guest address
 * @dst:  private memory
 * @len:  bytes
 *
 * Context: Worker, queue lock held, owner's address space in use.
 * Return: 0, -EFAULT if the range is not wholly in readable guest memory, or
 * with a device IOTLB -EAGAIN or -EPERM as kvh_iotlb_find()
 */
int kvh_env_read_guest(struct kvh_env *env, u64 addr, void *dst, u32 len)
{
	return env_copy(env, addr, dst, len, false);
}

/* Walk @n segments from byte @off on, copying @len bytes. */
static int segs_copy(struct kvh_vq *vq, const struct kvh_seg *segs, unsigned int n,
		     u64 off, void *buf, size_t len, bool to_guest)
{
	u64 run;
	int ret;

	lockdep_assert_held(&vq->lock);
	for (; n && len; segs++, n--) {
		if (off >= segs->len) {
			off -= segs->len;
			continue;
		}
		run = min_t(u64, len, segs->len - off);
		ret = env_copy(&vq->env, segs->addr + off, buf, run, to_guest);
		if (ret)
			return ret;
		if (to_guest)
			kvh_dirty_mark(vq, segs->addr + off, run);
		buf += run;
		len -= run;
		off = 0;
	}
	return len ? -EFAULT : 0;
}

/**
 * kvh_vq_read() - copy bytes out of a chain's readable segments
 * @vq:   queue
 * @segs: first segment
 * @n:    number of segments
 * @off:  bytes to skip
 * @dst:  private memory
 * @len:  bytes to copy
 *
 * Context: Worker, queue lock held.
 * Return: 0, or -EFAULT if the segments are shorter or not in guest memory
 */
int kvh_vq_read(struct kvh_vq *vq, const struct kvh_seg *segs, unsigned int n,
		u64 off, void *dst, size_t len)
{
	return segs_copy(vq, segs, n, off, dst, len, false);
}
EXPORT_SYMBOL_GPL(kvh_vq_read);

/**
 * kvh_vq_write() - copy bytes into a chain's writable segments, marking them dirty
 * @vq:   queue
 * @segs: first segment
 * @n:    number of segments
 * @off:  bytes to skip
 * @src:  private memory
 * @len:  bytes to copy
 *
 * Context: Worker, queue lock held.
 * Return: 0, or -EFAULT if the segments are shorter or not in guest memory
 */
int kvh_vq_write(struct kvh_vq *vq, const struct kvh_seg *segs, unsigned int n,
		 u64 off, const void *src, size_t len)
{
	return segs_copy(vq, segs, n, off, (void *)src, len, true);
}
EXPORT_SYMBOL_GPL(kvh_vq_write);
