/* SPDX-License-Identifier: GPL-2.0 */
/*
 * core.h - the structures the core's files share; no backend includes it.
 *
 * Lock order: kvh_dev.lock > kvh_vq.lock > kvh_worker (lockless list).
 * kvh_dev.lock serialises ioctls. kvh_vq.lock is held by whoever touches the
 * ring: the worker for one turn, an ioctl while it changes set-up.
 */
#ifndef KVH_CORE_H
#define KVH_CORE_H

#include <linux/atomic.h>
#include <linux/cache.h>
#include <linux/eventfd.h>
#include <linux/llist.h>
#include <linux/miscdevice.h>
#include <linux/mm_types.h>
#include <linux/mutex.h>
#include <linux/poll.h>
#include <linux/uidgid.h>
#include <linux/wait.h>
#include <linux/workqueue.h>
#include <linux/xarray.h>
#include <uapi/kvhost.h>
#include <kvhost.h>
#include "patience.h"

struct kvh_dev;
struct kvh_regmem;
struct kvh_worker;
struct vhost_iotlb;
struct vhost_task;

/* Chains a queue may take in one turn of its worker, so that others get theirs. */
#define KVH_TURN_CHAINS	256

/* Completions gathered at most before the driver is shown them. */
#define KVH_FLUSH_CHAINS	32u

/* And when the driver's depth is tried: so far one is told from the next. */
#define KVH_TRIAL_CHAINS	(2 * KVH_FLUSH_CHAINS)

/* Longest a worker spins at a time, microseconds, whatever the owner asked for. */
#define KVH_POLL_MAX_US	10000u

/* Segments of one batch: many short chains, or any time one of the longest. */
#define KVH_VQ_SEGS	(KVH_CHAIN_SEGS_MAX + 4 * KVH_BATCH)

/**
 * struct kvh_region - one piece of guest memory
 * @gpa:   guest address of its first byte
 * @size:  bytes, not 0; @gpa + @size - 1 does not wrap
 * @uaddr: address of the same byte in the owner
 * @reg:   its pages, in a registered table
 */
struct kvh_region {
	u64 gpa;
	u64 size;
	u64 uaddr;
	struct kvh_regmem *reg;
};

/**
 * struct kvh_memmap - regions of guest memory, sorted, without overlap
 * @nr:     entries of @region
 * @registered: all of it is pinned
 * @unusable: a region is not user memory: no queue may run with this table
 * @region: the regions
 */
struct kvh_memmap {
	unsigned int nr;
	bool registered;
	bool unusable;
	struct kvh_region region[];
};

/**
 * struct kvh_env - the guest memory a queue sees; what the ring code is handed
 * @map:   current table, NULL before VHOST_SET_MEM_TABLE; under kvh_vq.lock
 * @last:  index of the region the last look-up hit
 * @iotlb: where addresses are I/O virtual: what they mean; else NULL
 */
struct kvh_env {
	struct kvh_memmap *map;
	unsigned int last;
	struct vhost_iotlb *iotlb;
};

/**
 * struct kvh_ringplace - where a ring part lies in the owner's memory
 * @at:  user address of each page
 * @nr:  pages
 * @max: places in @at
 * @off: bytes of the first page before the part
 * @end: user address behind the last byte
 */
struct kvh_ringplace {
	u64 *at;
	unsigned int nr;
	unsigned int max;
	unsigned int off;
	u64 end;
};

/**
 * struct kvh_ringmem - one ring part, pinned and mapped into the kernel
 * @pages: its pages, NULL if they are those of registered memory
 * @nr:    number of pages
 * @ptr:   the ring part in the kernel's mapping
 * @dirty: the kernel may write it
 * @brief: it may be pinned for one turn of the worker only
 */
struct kvh_ringmem {
	struct page **pages;
	unsigned int nr;
	void *ptr;
	bool dirty;
	bool brief;
};

/**
 * struct kvh_work - something a worker shall do
 * @node:   on the worker's list
 * @queued: set while it is on the list
 * @fn:     called in the worker
 */
struct kvh_work {
	struct llist_node node;
	unsigned long queued;
	void (*fn)(struct kvh_worker *w, struct kvh_work *work);
};

/**
 * struct kvh_worker - a thread of the owner, or in its cgroups; see worker_task.c
 * @dev:      its device
 * @task:     the thread; a vhost task sets it when it begins
 * @vtsk:     the same, NULL for a kernel thread
 * @user:     whose budget a kernel thread is taken from
 * @dead:     the thread was killed, @stand_in runs the list; lockless
 * @stand_in: work item of the kernel
 * @list:     work not taken yet
 * @rest:     work that was taken with what runs now, and comes next; the thread's own
 * @napping:  it sleeps in the middle of a turn: see kvh_worker_nap_begin()
 * @mm:       the owner's address space
 * @id:       its number in kvh_dev.workers; constant
 * @attached: queues it serves; under kvh_dev.lock
 * @borrows:  the task has no address space of its own; the thread's, as what follows
 * @has_mm:   it has the owner's at present
 * @patient:  it is to be woken patiently
 * @batch:    it is SCHED_BATCH for that, by our doing
 * @chains:   taken since @patience was asked
 * @shown:    times that drivers were shown completions since then
 * @patience: see patience.c
 */
struct kvh_worker {
	struct kvh_dev *dev;
	struct task_struct *task;
	struct vhost_task *vtsk;
	kuid_t user;
	bool dead;
	struct work_struct stand_in;
	struct llist_head list;
	const struct llist_node *rest;
	bool napping;
	struct mm_struct *mm;
	u32 id;
	unsigned int attached;
	bool borrows;
	bool has_mm;
	bool patient;
	bool batch;
	unsigned int chains;
	unsigned int shown;
	struct kvh_patience patience;
};

/**
 * struct kvh_vq_stats - counters; written under kvh_vq.lock unless noted
 * @polls:         times work was found without a doorbell
 * @chains:        chains taken
 * @bytes_read:    readable bytes of the chains taken
 * @bytes_written: bytes reported as written
 * @signals:       interrupts sent
 * @signals_suppressed: publications that needed none
 * @broken:        times the queue was marked broken
 * @faults:        by enum kvh_ring_fault
 * @pins:          pages pinned for the time of a request
 * @windows:       times guest memory was opened for user access
 * @misses:        translations asked for
 */
struct kvh_vq_stats {
	u64 polls;
	u64 chains;
	u64 bytes_read;
	u64 bytes_written;
	u64 signals;
	u64 signals_suppressed;
	u64 broken;
	u64 faults[KVH_FAULT_NR];
	u64 pins;
	u64 windows;
	u64 misses;
};

/**
 * struct kvh_gather - how many completions to hold; see poll.c
 * @target: as many
 * @left:   batches until the driver's depth is tried, 0: the trial is on
 * @every:  batches between two trials
 * @since:  local_clock() when the held ones began to wait, 0 if they do not
 * @patient: what is known is of a worker that is patient
 */
struct kvh_gather {
	unsigned int target;
	unsigned int left;
	unsigned int every;
	u64 since;
	bool patient;
};

/**
 * struct kvh_nap - do naps for a queue that the owner allows no time pay? see poll.c
 * @chains: kvh_vq_stats.chains when the last one ended
 * @judged: what it brought has been looked at
 * @every:  waits that are left out from one nap to the next
 * @left:   as many are still to be left out
 */
struct kvh_nap {
	u64 chains;
	bool judged;
	unsigned int every;
	unsigned int left;
};

/**
 * enum kvh_vq_state - life of a queue
 * @KVH_VQ_STOPPED: no ring mapped; set-up may change
 * @KVH_VQ_RUNNING: the worker owns the ring
 * @KVH_VQ_BROKEN:  ring mapped, nothing is taken any more; what was in flight
 *                  is still completed. Left by stopping the queue only.
 */
enum kvh_vq_state {
	KVH_VQ_STOPPED,
	KVH_VQ_RUNNING,
	KVH_VQ_BROKEN,
};

/**
 * enum kvh_hold - does somebody want a queue to pause?
 * @KVH_HOLD_NONE:  no
 * @KVH_HOLD_TURN:  its worker shall end the turn; what is in flight stays so
 * @KVH_HOLD_PAUSE: and begin none; see pause.c
 * @KVH_HOLD_DRAIN: nothing shall be in flight but what the backend keeps
 * @KVH_HOLD_STOP:  nothing shall be in flight
 */
enum kvh_hold {
	KVH_HOLD_NONE,
	KVH_HOLD_TURN,
	KVH_HOLD_PAUSE,
	KVH_HOLD_DRAIN,
	KVH_HOLD_STOP,
};

/**
 * struct kvh_kick - the doorbell: an eventfd we sleep on
 * @file:  the eventfd, NULL when unbound
 * @table: for vfs_poll()
 * @wait:  our entry on @wqh
 * @wqh:   the eventfd's wait queue
 */
struct kvh_kick {
	struct file *file;
	poll_table table;
	wait_queue_entry_t wait;
	wait_queue_head_t *wqh;
};

/**
 * enum kvh_miss_state - what has become of a missing translation
 * @KVH_MISS_NONE:   nothing is missing
 * @KVH_MISS_QUEUED: the owner has not read of it yet
 * @KVH_MISS_TOLD:   it has
 */
enum kvh_miss_state {
	KVH_MISS_NONE,
	KVH_MISS_QUEUED,
	KVH_MISS_TOLD,
};

/**
 * struct kvh_miss - the translation a queue waits for; under kvh_dev.miss_lock
 * @iova:  I/O virtual address
 * @perm:  VHOST_ACCESS_*
 * @state: see above
 */
struct kvh_miss {
	u64 iova;
	u8 perm;
	enum kvh_miss_state state;
};

/**
 * struct kvh_vq - one virtqueue
 *
 * Constant after open: @dev, @index. Everything else is protected by @lock
 * but where a member says otherwise.
 *
 * @lock:      see above
 * @dev:       device it belongs to
 * @index:     its number
 * @state:     written under @lock and kvh_dev.lock (BROKEN: @lock alone);
 *             read locklessly for statistics
 * @hold:      unless NONE nothing is taken, for the device changes something; set
 *             before @lock is taken, so that a worker that spins lets go of it
 * @owed:      a turn was cut short or left out for %KVH_HOLD_PAUSE
 * @private:   the backend's
 * @features:  acknowledged feature bits, a copy of the device's
 * @size:      VHOST_SET_VRING_NUM, 0 before
 * @base:      ring position while stopped, as VHOST_SET_VRING_BASE encodes it
 * @base_set:  @base is valid; a ring is fresh otherwise
 * @addr:      VHOST_SET_VRING_ADDR
 * @addr_set:  @addr is valid
 * @busyloop:  microseconds the worker may spin for new work
 * @env:       guest memory
 * @miss:      the translation it waits for
 * @mapped:    ring parts are mapped and @ring is valid; from start to stop but
 *             where translations have to come first
 * @ring:      the ring, valid if @mapped
 * @desc:      descriptor area
 * @driver:    driver area
 * @device:    device area
 * @table:     scratch for indirect tables
 * @order:     scratch of IN_ORDER
 * @chains:    scratch for one batch
 * @segs:      scratch for the segments of one batch
 * @unflushed: completions since the last publish
 * @budget:    chains that may still be taken in this turn; below zero if more
 *             were, to end something
 * @kick_on:   the driver was asked for doorbells
 * @parked:    the backend waits for something else than buffers
 * @gather:    how many completions to hold
 * @gather_else: the same, where the worker is patient and was eager, or the reverse
 * @nap:       whether to sleep in the middle of a turn
 * @spin_ns:   how long the worker spins for new work at present
 * @slept_at:  local_clock() when it last went to sleep
 * @kick:      doorbell; its members are also used from wake-up context
 * @call:      interrupt, may be NULL
 * @err:       error eventfd, may be NULL
 * @log_base:  user address of the dirty bitmap, 0 if none
 * @log_ctx:   signalled when the log changed, may be NULL
 * @worker:    thread that serves the queue, NULL until it needs one; changed
 *             under kvh_dev.lock and @lock
 * @work:      "look at the queue", queued from any context
 * @kicks:     doorbells, counted by whoever rings
 * @idle:      woken by the worker after each turn that leaves nothing in
 *             flight, once it has dropped @lock
 * @rest:      woken after each turn while %KVH_HOLD_DRAIN is set
 * @watch:     entry of @idle while the last close has left the device behind
 * @in_flight: chains taken and not completed; READ_ONCE without @lock
 * @kept:      of these, chains that the backend keeps, see kvh_vq_keep(); likewise
 * @stats:     counters
 * @backend_stats: the backend's; from the first start to the end of the
 *             device, written by the worker
 */
struct kvh_vq {
	struct mutex lock;	/* the ring and all members below but as said above */
	struct kvh_dev *dev;
	unsigned int index;

	enum kvh_vq_state state;
	enum kvh_hold hold;
	bool owed;
	void *private;
	u64 features;
	u32 size;
	u32 base;
	bool base_set;
	struct vhost_vring_addr addr;
	bool addr_set;
	u32 busyloop;

	struct kvh_env env;
	struct kvh_miss miss;
	bool mapped;
	struct kvh_ring ring;
	struct kvh_ringmem desc;
	struct kvh_ringmem driver;
	struct kvh_ringmem device;
	void *table;
	struct kvh_order *order;
	struct kvh_chain *chains;
	struct kvh_seg *segs;
	unsigned int unflushed;
	int budget;
	bool kick_on;
	bool parked;
	struct kvh_gather gather, gather_else;
	struct kvh_nap nap;
	u64 spin_ns;
	u64 slept_at;

	struct kvh_kick kick;
	struct eventfd_ctx *call;
	struct eventfd_ctx *err;
	u64 log_base;
	struct eventfd_ctx *log_ctx;

	wait_queue_head_t idle;
	wait_queue_head_t rest;
	wait_queue_entry_t watch;
	unsigned int in_flight;
	unsigned int kept;
	struct kvh_vq_stats stats;
	void *backend_stats;

	/* A cache line of those who ring; the worker writes it once for each wake-up. */
	struct kvh_work work ____cacheline_aligned_in_smp;
	struct kvh_worker __rcu *worker;
	atomic64_t kicks;
};

/* Nothing else is in that line, of this queue or of the next in the array. */
static_assert(offsetofend(struct kvh_vq, kicks) - offsetof(struct kvh_vq, work) <=
	      SMP_CACHE_BYTES);
static_assert(sizeof(struct kvh_vq) - offsetof(struct kvh_vq, work) == SMP_CACHE_BYTES);

/**
 * struct kvh_end - a device whose last close could not wait for it
 * @left:   on the list of these devices
 * @closer: the process that closed it
 * @busy:   queues that are not quiet yet, and one while they are counted
 * @work:   ends the device when @busy is 0
 */
struct kvh_end {
	struct list_head left;
	struct pid *closer;
	atomic_t busy;
	struct work_struct work;
};

/**
 * struct kvh_dev - one open device node
 *
 * @backend, @nvqs and @vqs are constant after open; the rest is under @lock.
 *
 * @lock:     serialises ioctls
 * @backend:  what kind of device
 * @private:  the backend's
 * @mm:       the owner's address space, NULL without an owner; compared
 *            locklessly by those who read counters
 * @task:     the process that became the owner, for its limits
 * @unlimited: it may lock more memory than they say
 * @withheld: feature bits not offered; constant after open
 * @features: acknowledged feature bits
 * @backend_features: VHOST_BACKEND_F_* acknowledged
 * @kthreads: VHOST_SET_FORK_FROM_OWNER asked for workers that are kernel threads
 * @map:      guest memory
 * @registered: tables are pinned when they are set
 * @locked:   pages the owner is charged for that
 * @iotlb:    translations, NULL without VIRTIO_F_ACCESS_PLATFORM
 * @miss_lock: protects kvh_vq.miss of all queues; taken last
 * @miss_wait: readers of misses
 * @log_base: VHOST_SET_LOG_BASE
 * @log_ctx:  VHOST_SET_LOG_FD
 * @workers:  all workers by id
 * @nr_workers: how many
 * @pid:      of the owner, for names
 * @id:       number of this ownership, for names
 * @debugfs:  its statistics file
 * @ending:   the last close came; read locklessly
 * @end:      see end.c
 * @nvqs:     number of queues
 * @vqs:      the queues
 */
struct kvh_dev {
	struct mutex lock;	/* one ioctl at a time */
	const struct kvh_backend *backend;
	void *private;
	struct mm_struct *mm;
	struct task_struct *task;
	bool unlimited;
	u64 withheld;
	u64 features;
	u64 backend_features;
	bool kthreads;
	struct kvh_memmap *map;
	bool registered;
	unsigned long locked;
	struct vhost_iotlb *iotlb;
	spinlock_t miss_lock;	/* leaf: kvh_vq.miss of all queues */
	wait_queue_head_t miss_wait;
	u64 log_base;
	struct eventfd_ctx *log_ctx;
	struct xarray workers;
	unsigned int nr_workers;
	pid_t pid;
	unsigned int id;
	struct dentry *debugfs;
	bool ending;
	struct kvh_end end;
	unsigned int nvqs;
	struct kvh_vq *vqs;
};

/* node.c */
const struct kvh_backend *kvh_node_get(struct kvh_node *node);
struct kvh_node *kvh_node_of(struct file *file);

/* dev.c */
extern const struct file_operations kvh_dev_fops;
int kvh_dev_set_owner(struct kvh_dev *dev);
void kvh_dev_clear(struct kvh_dev *dev);
int kvh_dev_reset(struct kvh_dev *dev);
int kvh_dev_set_features(struct kvh_dev *dev, u64 features);
int kvh_dev_set_log_base(struct kvh_dev *dev, u64 base);
int kvh_dev_set_log_fd(struct kvh_dev *dev, int fd);

/* end.c */
void kvh_end_init(struct kvh_dev *dev);
int kvh_dev_release(struct inode *inode, struct file *file);
int kvh_end_setup(void);
void kvh_end_teardown(void);

/* devmem.c */
int kvh_dev_set_map(struct kvh_dev *dev, struct kvh_memmap *map);
int kvh_dev_set_mem_mode(struct kvh_dev *dev, bool registered);
void kvh_dev_forget_map(struct kvh_dev *dev);

/* regmem.c */
unsigned long kvh_regmem_pages(const struct kvh_region *r);
int kvh_regmem_pin(struct kvh_memmap *map);
void kvh_regmem_unpin(struct kvh_memmap *map);
struct page *kvh_regmem_page(const struct kvh_region *r, u64 uaddr, u64 *run);

/* longpin.c */
int kvh_longpin(unsigned long start, unsigned long nr, bool write, struct page **pages);

/* memlock.c */
void kvh_memlock_caller(struct kvh_dev *dev);
int kvh_memlock_charge(struct kvh_dev *dev, unsigned long pages);
void kvh_memlock_uncharge(struct kvh_dev *dev, unsigned long pages);

/* ioctl.c */
long kvh_dev_ioctl(struct file *file, unsigned int cmd, unsigned long arg);

/* features.c */
u64 kvh_features_offered(const struct kvh_dev *dev);
int kvh_features_check(const struct kvh_dev *dev, u64 features);

/* memmap.c */
struct kvh_memmap *kvh_memmap_alloc(unsigned int nr);
struct kvh_memmap *kvh_memmap_from_user(const struct vhost_memory __user *um);
bool kvh_env_registered(const struct kvh_env *env);
int kvh_env_uaddr(struct kvh_env *env, u64 addr, u64 len, bool write,
		  u64 *uaddr, u64 *run);
struct page *kvh_env_user_page(struct kvh_env *env, u64 uaddr, u64 *run);
int kvh_env_page(struct kvh_env *env, u64 addr, u64 len, bool write,
		 struct page **page, u64 *uaddr, u64 *run);

/* ringmem.c */
int kvh_ringplace_init(struct kvh_ringplace *place, size_t len);
int kvh_ringplace_add(struct kvh_ringplace *place, u64 uaddr, u64 len);
void kvh_ringplace_free(struct kvh_ringplace *place);
int kvh_ringmem_map(struct kvh_ringmem *rm, struct kvh_dev *dev, struct kvh_env *env,
		    const struct kvh_ringplace *place, bool write);
void kvh_ringmem_unmap(struct kvh_ringmem *rm, struct kvh_dev *dev);

/* vq.c */
void kvh_vq_init(struct kvh_vq *vq, struct kvh_dev *dev, unsigned int index);
void kvh_vq_reset(struct kvh_vq *vq);
int kvh_vq_start(struct kvh_vq *vq);
int kvh_vq_lock(struct kvh_vq *vq);
int kvh_vq_set_addr(struct kvh_vq *vq, const struct vhost_vring_addr *addr);
int kvh_vq_check(const struct kvh_vq *vq, const struct kvh_memmap *map);
int kvh_vq_access(const struct kvh_vq *vq, const struct kvh_memmap *map);
u32 kvh_vq_base(const struct kvh_vq *vq);
void kvh_vq_break(struct kvh_vq *vq, enum kvh_ring_fault fault);

void kvh_vq_unload(struct kvh_vq *vq);

/* quiesce.c */
void kvh_vq_drain(struct kvh_vq *vq, enum kvh_hold hold);
int kvh_vq_quiesce(struct kvh_vq *vq, enum kvh_hold hold);
bool kvh_vq_quiet(struct kvh_vq *vq);

/* vqmap.c */
enum kvh_ring_layout kvh_vq_layout(const struct kvh_vq *vq);
int kvh_vq_map(struct kvh_vq *vq);
int kvh_vq_map_late(struct kvh_vq *vq);
void kvh_vq_unmap(struct kvh_vq *vq);
void kvh_vq_unmap_brief(struct kvh_vq *vq);
bool kvh_vq_ring_touches(const struct kvh_vq *vq, u64 first, u64 last);

/* iotlb.c */
int kvh_iotlb_enable(struct kvh_dev *dev, bool on);
int kvh_iotlb_find(struct kvh_vq *vq, u64 iova, u64 len, bool write, u64 *uaddr, u64 *run);
int kvh_iotlb_message(struct kvh_dev *dev, const struct vhost_iotlb_msg *msg);
bool kvh_iotlb_next_miss(struct kvh_dev *dev, struct vhost_iotlb_msg *msg);
bool kvh_iotlb_has_miss(struct kvh_dev *dev);
void kvh_iotlb_clear_miss(struct kvh_vq *vq);

/* pause.c */
int kvh_dev_pause(struct kvh_dev *dev);
void kvh_dev_unpause(struct kvh_dev *dev);
void kvh_dev_pause_abort(struct kvh_dev *dev);

/* msg.c */
ssize_t kvh_dev_write_iter(struct kiocb *iocb, struct iov_iter *from);
ssize_t kvh_dev_read_iter(struct kiocb *iocb, struct iov_iter *to);
__poll_t kvh_dev_poll(struct file *file, struct poll_table_struct *wait);

/* serve.c */
void kvh_vq_work(struct kvh_worker *w, struct kvh_work *work);

/* poll.c */
void kvh_poll_reset(struct kvh_vq *vq);
unsigned int kvh_poll_limit(struct kvh_vq *vq);
void kvh_poll_flushed(struct kvh_vq *vq, unsigned int held);
bool kvh_poll_gather(struct kvh_vq *vq);
void kvh_poll_woken(struct kvh_vq *vq);
void kvh_poll_sleeps(struct kvh_vq *vq);
bool kvh_poll_idle(struct kvh_vq *vq);

/* notify.c */
void kvh_kick_init(struct kvh_vq *vq);
int kvh_kick_set(struct kvh_vq *vq, int fd);
void kvh_kick_clear(struct kvh_vq *vq);
int kvh_eventfd_swap(struct eventfd_ctx **slot, int fd);
void kvh_vq_signal(struct kvh_vq *vq, unsigned int chains);

/* worker.c */
bool kvh_worker_run(struct kvh_worker *worker);
void kvh_worker_queue(struct kvh_worker *worker, struct kvh_work *work);
void kvh_worker_use_mm(struct kvh_worker *worker, bool use);
void kvh_worker_nap_begin(struct kvh_worker *worker);
void kvh_worker_nap_end(struct kvh_worker *worker);
bool kvh_worker_wanted(const struct kvh_worker *worker, const struct kvh_work *work);

/* worker_task.c */
struct kvh_worker *kvh_worker_create(struct kvh_dev *dev, const char *name);
void kvh_worker_destroy(struct kvh_worker *worker);

/* worker_budget.c */
int kvh_budget_take(kuid_t *user);
void kvh_budget_put(kuid_t user);

/* pool.c */
void kvh_pool_init(struct kvh_dev *dev);
void kvh_pool_clear(struct kvh_dev *dev);
int kvh_pool_need(struct kvh_vq *vq);
int kvh_pool_new(struct kvh_dev *dev, u32 *id);
int kvh_pool_free(struct kvh_dev *dev, u32 id);
int kvh_pool_attach(struct kvh_vq *vq, u32 id);
struct kvh_worker *kvh_pool_of(const struct kvh_vq *vq);

/* dirty.c */
int kvh_dirty_check(const struct kvh_vq *vq, const struct kvh_memmap *map,
		    const struct vhost_vring_addr *addr, u64 base, u64 features);
void kvh_dirty_mark(struct kvh_vq *vq, u64 addr, u64 len);
void kvh_dirty_mark_gpa(struct kvh_vq *vq, u64 gpa, u64 len);
void kvh_dirty_mark_iova(struct kvh_vq *vq, u64 iova, u64 len);
bool kvh_dirty_mark_user(struct kvh_vq *vq, u64 uaddr, u64 len);

/* Whether writes into guest memory have to be marked; queue lock held. */
static inline bool kvh_dirty_on(const struct kvh_vq *vq)
{
	return unlikely(vq->features & BIT_ULL(VHOST_F_LOG_ALL));
}

/* Whether writes into the ring have to be marked; queue lock held. */
static inline bool kvh_dirty_ring_on(const struct kvh_vq *vq)
{
	return kvh_dirty_on(vq) || unlikely(vq->addr.flags & BIT(VHOST_VRING_F_LOG));
}

/* stats.c */
int kvh_stats_alloc(struct kvh_vq *vq);
void kvh_stats_free(struct kvh_vq *vq);
long kvh_stats_ioctl(struct kvh_dev *dev, unsigned int cmd, void __user *argp);
void kvh_stats_dev_add(struct kvh_dev *dev);
void kvh_stats_dev_remove(struct kvh_dev *dev);
void kvh_stats_init(void);
void kvh_stats_exit(void);

#endif /* KVH_CORE_H */
