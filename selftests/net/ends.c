// SPDX-License-Identifier: GPL-2.0
/*
 * How a device ends: its tap, and the file that guest memory is, are free when
 * close() or wait() returns.
 *
 * The tap's descriptor comes after the device's, and no packet socket is open:
 * the end of either would wait for RCU, and give what the kernel has deferred the
 * time to be done.
 */
#include <errno.h>
#include <fcntl.h>
#include <net/if.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>
#include <linux/if_tun.h>
#include "kselftest_harness.h"
#include "lib/busy.h"
#include "pair.h"

#define ROUNDS	30u
#define TAP	"ends0"

/* Seconds for what does a thing many times, on a kernel that checks all it does. */
#define SLOW	120

static const struct pair_opts opts;
static enum busy_end how;

static void make_tap(void)
{
	int fd = tap_open(TAP, &opts);

	must(!ioctl(fd, TUNSETPERSIST, 1), "TUNSETPERSIST: %m");
	close(fd);
}

static bool tap_is_busy(void)
{
	struct ifreq r = { .ifr_flags = IFF_TAP | IFF_NO_PI | IFF_VNET_HDR };
	int fd = open("/dev/net/tun", O_RDWR | O_CLOEXEC);
	bool busy;

	must(fd >= 0, "/dev/net/tun: %m");
	strcpy(r.ifr_name, TAP);
	busy = ioctl(fd, TUNSETIFF, &r);
	must(!busy || errno == EBUSY, "TUNSETIFF: %m");
	close(fd);
	return busy;
}

/* A device with a tap; guest memory is a file of the mount. */
static int start(struct busy *b)
{
	static struct pair p;

	pair_device(&p, &opts);
	busy_map(b, p.k.mem.regions[GMEM_HIGH].va, GMEM_REGION_SIZE);
	p.back = tap_open(TAP, &opts);
	must(p.back > p.k.fd, "descriptor %d of the tap comes before %d", p.back, p.k.fd);
	net_backend(p.k.fd, RX, p.back);
	net_backend(p.k.fd, TX, p.back);
	if (how == BUSY_CLOSE || how == BUSY_RESET)
		close(p.back);
	return p.k.fd;
}

FIXTURE(frees) {
	struct busy busy;
};

FIXTURE_VARIANT(frees) {
	enum busy_end end;
	bool expedited;
};

FIXTURE_VARIANT_ADD(frees, exit) { .end = BUSY_EXIT };
FIXTURE_VARIANT_ADD(frees, sigkill) { .end = BUSY_KILL };
FIXTURE_VARIANT_ADD(frees, close) { .end = BUSY_CLOSE };
FIXTURE_VARIANT_ADD(frees, reset_owner) { .end = BUSY_RESET };
FIXTURE_VARIANT_ADD(frees, exit_expedited) { .end = BUSY_EXIT, .expedited = true };
FIXTURE_VARIANT_ADD(frees, sigkill_expedited) { .end = BUSY_KILL, .expedited = true };
FIXTURE_VARIANT_ADD(frees, close_expedited) { .end = BUSY_CLOSE, .expedited = true };
FIXTURE_VARIANT_ADD(frees, reset_owner_expedited) { .end = BUSY_RESET, .expedited = true };

FIXTURE_SETUP(frees)
{
	own_netns();
	make_tap();
	busy_init(&self->busy, variant->expedited);
	self->busy.check = tap_is_busy;
}

FIXTURE_TEARDOWN(frees)
{
	busy_exit(&self->busy);
}

TEST_F_TIMEOUT(frees, K23_files_are_free_when_the_device_has_ended, SLOW)
{
	unsigned int i, busy = 0;

	how = variant->end;
	for (i = 0; i < ROUNDS; i++)
		busy += busy_round(&self->busy, variant->end, start);
	EXPECT_EQ(0, busy) {
		TH_LOG("busy %u times in %u", busy, ROUNDS);
	}
}

TEST_HARNESS_MAIN
