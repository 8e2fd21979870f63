// SPDX-License-Identifier: GPL-2.0
/*
 * relay - send frames into one interface and take them out of another.
 *
 *	relay FROM TO COUNT
 *
 * Something behind the two hands them on. The frames are of all lengths, and
 * each has to come once, in order, and as it was. No more are under way than
 * any queue in between can hold, so that none has a reason to be dropped.
 * Exit status: 0, or 1 with a line on stderr.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "net/frame.h"

/* Frames under way at most. */
#define WINDOW		64u
/* Longest wait for the next one, in milliseconds. */
#define PATIENCE	20000

#define LEN_MIN		60u
#define LEN_MAX		1514u

static u32 length(u32 seq)
{
	return LEN_MIN + seq * 131 % (LEN_MAX - LEN_MIN + 1);
}

/* Does the frame at @got have number @seq and all its bytes? */
static int check(const u8 *got, u32 len, u32 seq)
{
	static u8 want[LEN_MAX];

	if (len != length(seq)) {
		fprintf(stderr, "relay: frame %u has %u bytes instead of %u; it says it is %u\n",
			seq, len, length(seq), frame_seq(got));
		return 1;
	}
	frame_fill(want, len, seq);
	if (!memcmp(want, got, len))
		return 0;
	fprintf(stderr, "relay: in place of frame %u came another; it says it is %u\n", seq,
		frame_seq(got));
	return 1;
}

int main(int argc, char **argv)
{
	static u8 frame[FRAME_MAX];
	u32 count, sent = 0, taken = 0;
	int from, to, len;

	if (argc != 4) {
		fprintf(stderr, "usage: relay FROM TO COUNT\n");
		return 2;
	}
	from = packet_open(argv[1]);
	to = packet_open(argv[2]);
	count = strtoul(argv[3], NULL, 0);
	while (taken < count) {
		for (; sent < count && sent - taken < WINDOW; sent++) {
			frame_fill(frame, length(sent), sent);
			packet_send(from, frame, length(sent));
		}
		len = packet_recv(to, frame, PATIENCE);
		if (!len) {
			fprintf(stderr, "relay: frame %u of %u has not come within %d s\n", taken,
				sent, PATIENCE / 1000);
			return 1;
		}
		if (check(frame, len, taken++))
			return 1;
	}
	len = packet_recv(to, frame, 0);
	if (len) {
		fprintf(stderr, "relay: a frame of %d bytes more than were sent\n", len);
		return 1;
	}
	return 0;
}
