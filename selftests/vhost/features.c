// SPDX-License-Identifier: GPL-2.0
/*
 * Every feature bit by itself, and the sets that front ends acknowledge: whether
 * it is offered, accepted, and whether queues start and carry packets with it.
 */
#include <stdio.h>
#include <stdlib.h>
#include "kselftest.h"
#include "table.h"

#define BIT64(n)	(1ull << (n))
#define V1		BIT64(VIRTIO_F_VERSION_1)
#define MRG		BIT64(VIRTIO_NET_F_MRG_RXBUF)
#define HDR_F		BIT64(VHOST_NET_F_VIRTIO_NET_HDR)
#define INDIRECT	BIT64(VIRTIO_RING_F_INDIRECT_DESC)
#define EVENT		BIT64(VIRTIO_RING_F_EVENT_IDX)
#define PLATFORM	BIT64(VIRTIO_F_ACCESS_PLATFORM)
#define PACKED		BIT64(VIRTIO_F_RING_PACKED)
#define IN_ORDER	BIT64(VIRTIO_F_IN_ORDER)
#define RESET_F		BIT64(VIRTIO_F_RING_RESET)
#define EMPTY		BIT64(VIRTIO_F_NOTIFY_ON_EMPTY)
#define LAYOUT		BIT64(VIRTIO_F_ANY_LAYOUT)
#define LOG		BIT64(VHOST_F_LOG_ALL)

static int set_features(struct side *s, u64 features)
{
	return side_call(s, VHOST_SET_FEATURES, &features);
}

static void ask_bit(struct side *s, const struct row *row, struct answer *a)
{
	u64 offered = 0;

	say(a, "%s", error_name(side_call(s, VHOST_GET_FEATURES, &offered)));
	say(a, " %s;", offered & row->v ? "offered" : "not offered");
	say(a, " alone %s,", error_name(set_features(s, row->v)));
	say(a, " with VERSION_1 %s", error_name(set_features(s, row->v | V1)));
}

static void ask_start(struct side *s, const struct row *row, struct answer *a)
{
	unsigned int i;

	say(a, "%s, start", error_name(set_features(s, row->v)));
	for (i = 0; i < 2; i++)
		say(a, " %s", error_name(side_backend(s, i, s->p.back)));
}

static void ask_carry(struct side *s, const struct row *row, struct answer *a)
{
	ask_start(s, row, a);
	say(a, " %s", pair_works(&s->p) ? "carries" : "is mute");
}

#define START(f, ...)	{ .name = #f ", start", .ask = ask_start, .v = f, \
			  .states = IN(RINGS) | IN(STOPPED), ##__VA_ARGS__ }
#define CARRY(f)	{ .name = #f ", packets", .ask = ask_carry, .v = f, \
			  .states = IN(RINGS) | IN(STOPPED) }

#define MORE		(PACKED | IN_ORDER | RESET_F)
#define LEGACY		.differs = D_NO_LEGACY

static const struct row sets[] = {
	CARRY(V1), CARRY(V1 | INDIRECT), CARRY(V1 | EVENT), CARRY(V1 | EVENT | INDIRECT),
	CARRY(V1 | MRG), CARRY(V1 | EMPTY), CARRY(V1 | LAYOUT),
	CARRY(V1 | MRG | INDIRECT | EVENT | EMPTY | LAYOUT),
	START(V1 | HDR_F), START(V1 | LOG), START(V1 | PLATFORM), START(V1 | PLATFORM | MRG),
	START(V1 | BIT64(63)), START(V1 | BIT64(0)), START(0, LEGACY), START(MRG, LEGACY),
	START(HDR_F, LEGACY), START(PLATFORM),
	START(MRG | INDIRECT | EVENT | EMPTY | LAYOUT, LEGACY),
};

static char names[64][32];
static struct row rows[64 + ARRAY_SIZE(sets)];

int main(void)
{
	unsigned int i;

	for (i = 0; i < 64; i++) {
		snprintf(names[i], sizeof(names[i]), "feature bit %u", i);
		rows[i] = (struct row) {
			.name = names[i], .ask = ask_bit, .v = BIT64(i),
			.states = IN(OPENED) | IN(OWNED) | IN(RINGS) | IN(STOPPED) | IN(RESET),
			.differs = BIT64(i) & MORE ? D_MORE_FEATURES : D_NONE,
			.on = BIT64(i) == RESET_F ? K_NO_RING_RESET :
			      BIT64(i) == IN_ORDER ? K_NO_IN_ORDER : K_ALL,
		};
	}
	for (i = 0; i < ARRAY_SIZE(sets); i++)
		rows[64 + i] = sets[i];
	table_run(rows, ARRAY_SIZE(rows));
}
