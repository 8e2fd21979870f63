// SPDX-License-Identifier: GPL-2.0
/*
 * librte_vhost of DPDK as ring_bench runs it.
 *
 * Its ring path cannot be had by itself: the library takes buffers as packets of
 * a network device, copies their payload into mbufs of its own and completes them
 * in the same call. So the buffers here are as short as can be, all readable, and
 * what is measured has an allocation and a small copy in it that the others do
 * not have. It translates the addresses of buffers as well.
 */
#include <linux/virtio_config.h>
#include <linux/virtio_net.h>
#include <linux/virtio_ring.h>
#include <rte_eal.h>
#include <rte_errno.h>
#include <rte_mbuf.h>
#include <rte_vhost.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "bench.h"
#include "vhost_user.h"

#define BATCH_MAX	64u
#define LIMIT_MS	5000
#define QUEUE		1

static struct rte_mempool *pool;
static char path[64];
static int sock = -1;
static struct bench_mem other;
static int vid = -1;

static int device_new(int id)
{
	__atomic_store_n(&vid, id, __ATOMIC_RELEASE);
	return 0;
}

static void device_gone(int id)
{
	(void)id;
	__atomic_store_n(&vid, -1, __ATOMIC_RELEASE);
}

static const struct rte_vhost_device_ops ops = {
	.new_device = device_new,
	.destroy_device = device_gone,
};

/* Waits until the library's thread has a device, or has none any more. */
static void await(bool there)
{
	struct timespec step = { .tv_nsec = 200000 };
	int i;

	for (i = 0; i < LIMIT_MS * 5; i++) {
		if ((__atomic_load_n(&vid, __ATOMIC_ACQUIRE) >= 0) == there)
			return;
		nanosleep(&step, NULL);
	}
	bench_fail("librte_vhost", there ? "takes no device" : "keeps the device",
		   rte_errno);
}

static void begin_once(void)
{
	char args[8][16] = { "ring_bench", "--no-huge", "--no-pci", "-m", "64",
			     "--no-telemetry", "--log-level=3", "--no-shconf" };
	char *argv[9] = { NULL };
	int i;

	if (pool)
		return;
	for (i = 0; i < 8; i++)
		argv[i] = args[i];
	if (rte_eal_init(8, argv) < 0)
		bench_fail("librte_vhost", "the EAL does not start", rte_errno);
	pool = rte_pktmbuf_pool_create("mbufs", 1023, 256, 0,
				       RTE_MBUF_DEFAULT_BUF_SIZE, SOCKET_ID_ANY);
	if (!pool)
		bench_fail("librte_vhost", "no pool of mbufs", rte_errno);
	snprintf(path, sizeof(path), "/tmp/ring_bench.%d", getpid());
	if (rte_vhost_driver_register(path, 0) ||
	    rte_vhost_driver_callback_register(path, &ops) ||
	    rte_vhost_driver_start(path))
		bench_fail("librte_vhost", "no socket", rte_errno);
	/* The receive queue, which stays empty: where nobody else lays a ring. */
	other.desc = bench_arena + BENCH_ARENA - 0x10000;
	other.driver = bench_arena + BENCH_ARENA - 0x8000;
	other.device = bench_arena + BENCH_ARENA - 0x4000;
}

static void start(const struct bench_mem *mem, bool indirect, bool packed)
{
	uint64_t features = 1ull << VIRTIO_F_VERSION_1;

	if (indirect)
		features |= 1ull << VIRTIO_RING_F_INDIRECT_DESC;
	if (packed)
		features |= 1ull << VIRTIO_F_RING_PACKED;
	begin_once();
	sock = vhost_user_connect(path, features, mem, &other, packed);
	await(true);
}

static void start_split(const struct bench_mem *mem, bool indirect)
{
	start(mem, indirect, false);
}

static void start_packed(const struct bench_mem *mem, bool indirect)
{
	start(mem, indirect, true);
}

static void stop(void)
{
	close(sock);
	await(false);
}

static void lap(unsigned int n, unsigned int batch)
{
	struct rte_mbuf *got[BATCH_MAX];

	while (n) {
		unsigned int want = batch < n ? batch : n;
		unsigned int k = rte_vhost_dequeue_burst(vid, QUEUE, pool, got,
							 want);

		if (!k)
			bench_fail("librte_vhost", "no buffer taken", n);
		rte_pktmbuf_free_bulk(got, k);
		n -= k;
	}
}

const struct bench_impl bench_librte_split = {
	.name = "librte split",
	.start = start_split,
	.lap = lap,
	.stop = stop,
	.readable = true,
};

const struct bench_impl bench_librte_packed = {
	.name = "librte packed",
	.packed = true,
	.start = start_packed,
	.lap = lap,
	.stop = stop,
	.readable = true,
};
