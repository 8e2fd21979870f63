// SPDX-License-Identifier: GPL-2.0
/*
 * usage: logreplay LOG TO MARK
 *
 * Makes of the disk TO what a power cut at MARK would have left, by the log of
 * a dm log-writes device that is gone.
 */
#include <fcntl.h>
#include <stdio.h>
#include "lib/logwrites.h"

int main(int argc, char **argv)
{
	int log, to;
	long n;

	if (argc != 4) {
		fprintf(stderr, "usage: logreplay LOG TO MARK\n");
		return 2;
	}
	log = open(argv[1], O_RDWR | O_CLOEXEC);
	to = open(argv[2], O_RDWR | O_CLOEXEC);
	must(log >= 0, "%s: %m", argv[1]);
	must(to >= 0, "%s: %m", argv[2]);
	n = logwrites_replay(log, to, argv[3]);
	must(n > 0, "mark %s is not in the log, or nothing before it", argv[3]);
	printf("# %s: %ld writes and flushes before it\n", argv[3], n);
	return 0;
}
