/* SPDX-License-Identifier: GPL-2.0 */
/*
 * net_fixture.h - the fixture "net" of the tests of a network device, once with
 * split and once with packed rings. Included by each of them, after their other
 * headers.
 */
#ifndef SELFTESTS_VMM_NET_FIXTURE_H
#define SELFTESTS_VMM_NET_FIXTURE_H

#include "net_rig.h"
#include <kselftest_harness.h>

FIXTURE(net) {
	struct net_rig rig;
};

FIXTURE_VARIANT(net) {
	bool packed;
};

FIXTURE_VARIANT_ADD(net, split) {
	.packed = false,
};

FIXTURE_VARIANT_ADD(net, packed) {
	.packed = true,
};

FIXTURE_SETUP(net)
{
	rig_init(&self->rig, variant->packed);
}

FIXTURE_TEARDOWN(net)
{
	rig_free(&self->rig);
}

#endif
