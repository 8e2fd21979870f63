// SPDX-License-Identifier: GPL-2.0
/*
 * Makes of a dm log-writes log what a disk would hold had the power been cut
 * at a mark: all that a flush or FUA had made durable by then, and nothing
 * else. The log's format is that of Documentation/admin-guide/device-mapper/
 * log-writes.rst: a header sector, then for each entry a sector that describes
 * it and, but for discards, its data.
 */
#include <endian.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>
#include "logwrites.h"

#define MAGIC		0x6a736677736872ull
#define F_DISCARD	4u
#define F_MARK		8u
#define DATA_MAX	(64u << 20)

struct header {
	u64 magic;
	u64 version;
	u64 entries;
	u32 sector_size;
};

struct entry {
	u64 sector;
	u64 sectors;
	u64 flags;
	u64 data_len;
	char data[480];
};

static void get(int fd, void *buf, size_t len, u64 at)
{
	must(pread(fd, buf, len, at) == (ssize_t)len, "log: read at %llu: %m", at);
}

static void put_entry(int log, int to, const struct entry *e, u64 at)
{
	size_t len = le64toh(e->sectors) * 512;
	u8 *buf;

	must(len <= DATA_MAX, "log: an entry of %zu bytes", len);
	if (!len)
		return;
	buf = calloc(1, len);
	must(buf, "out of memory");
	if (!(le64toh(e->flags) & F_DISCARD))
		get(log, buf, len, at);
	must(pwrite(to, buf, len, le64toh(e->sector) * 512) == (ssize_t)len, "replay: %m");
	free(buf);
}

/**
 * logwrites_replay() - replay a log up to a mark
 * @log:  log device with sectors of 512 bytes, its dm device removed
 * @to:   device of the size of the logged one; emptied first
 * @mark: where to stop; the first of that name
 *
 * Return: number of entries replayed, -1 if there is no such mark.
 */
long logwrites_replay(int log, int to, const char *mark)
{
	u64 at = 512, range[2] = { 0 }, i, n;
	struct header h;
	struct entry e;

	must(!ioctl(log, BLKFLSBUF, 0), "BLKFLSBUF: %m");
	must(!ioctl(to, BLKGETSIZE64, &range[1]), "BLKGETSIZE64: %m");
	must(!ioctl(to, BLKDISCARD, range), "BLKDISCARD: %m");
	get(log, &h, sizeof(h), 0);
	must(le64toh(h.magic) == MAGIC && le32toh(h.sector_size) == 512, "not a log");
	n = le64toh(h.entries);
	for (i = 0; i < n; i++) {
		get(log, &e, sizeof(e), at);
		at += 512;
		if (le64toh(e.flags) & F_MARK) {
			if (le64toh(e.data_len) == strlen(mark) &&
			    !memcmp(e.data, mark, strlen(mark)))
				break;
			continue;
		}
		put_entry(log, to, &e, at);
		if (!(le64toh(e.flags) & F_DISCARD))
			at += le64toh(e.sectors) * 512;
	}
	must(!fsync(to), "replay: %m");
	return i < n ? (long)i : -1;
}
