// SPDX-License-Identifier: GPL-2.0
/*
 * Runs the unit tests of the ring code, each for both layouts.
 *
 * A test's name begins with the id of the clause (CORE-), attack (HD-) or known
 * bug it stands for. With an argument, only tests whose name contains it run.
 */
#include <setjmp.h>
#include <stdio.h>
#include <string.h>

#include "kselftest.h"
#include "rig.h"

jmp_buf rig_escape;

static const struct rig_test *const tables[] = {
	shape_tests, event_tests, order_tests, state_tests, lap_tests,
	hostile_tests,
	turn_tests, diff_tests,
};

static const char *const layouts[] = {
	[KVH_RING_SPLIT] = "split", [KVH_RING_PACKED] = "packed",
};

static const char *title(const struct rig_test *t, int layout)
{
	static char name[256];

	snprintf(name, sizeof(name), "%s %s: %s", t->id, layouts[layout],
		 t->name);
	return name;
}

static bool wanted(const struct rig_test *t, int layout, const char *only)
{
	if (t->only && t->only != layouts[layout][0])
		return false;
	return !only || strstr(title(t, layout), only);
}

static void run(const struct rig_test *t, int layout)
{
	rig_seed_test();
	if (!setjmp(rig_escape)) {
		t->fn(layout);
		rig_free_all();
		ksft_test_result_pass("%s\n", title(t, layout));
	} else {
		rig_free_all();
		ksft_test_result_fail("%s\n", title(t, layout));
	}
}

int main(int argc, char **argv)
{
	const char *only = argc > 1 ? argv[1] : NULL;
	unsigned int pass, n = 0, i;
	const struct rig_test *t;
	int l;

	ksft_print_header();
	for (pass = 0; pass < 2; pass++) {
		for (i = 0; i < ARRAY_SIZE(tables); i++)
			for (t = tables[i]; t->fn; t++)
				for (l = 0; l < 2; l++) {
					if (!wanted(t, l, only))
						continue;
					if (pass)
						run(t, l);
					else
						n++;
				}
		if (!pass)
			ksft_set_plan(n);
	}
	if (!n) {
		fprintf(stderr, "ring_test: no test is named like '%s'\n", only);
		return KSFT_FAIL;
	}
	ksft_print_msg("%u tests, %lu checks\n", n, rig_checks);
	if (ksft_get_fail_cnt())
		ksft_exit_fail();
	ksft_exit_pass();
}
