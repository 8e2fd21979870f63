// SPDX-License-Identifier: GPL-2.0
/*
 * churn - in a guest: write to disks and read back, and say what happens.
 *
 *	churn DISK...		vda, vdb, ...; runs until it is killed
 *
 * A process a disk, past the page cache. Lines on stdout:
 *
 *	BEAT vda			4 KiB were written and read back; twice a second
 *	FAILED vda Input/output error	they were not, or were something else
 *	GREW vda SECTORS, N interrupts	its size is another, and the last 4 KiB of that
 *					can be used; N configuration interrupts so far
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

#define BLOCK	4096
/* Blocks it goes through over and over. */
#define BLOCKS	512

static const char *disk;
static int fd;
static char *out, *in;

static double now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec + t.tv_nsec / 1e9;
}

static uint64_t sectors(void)
{
	uint64_t bytes = 0;

	return ioctl(fd, BLKGETSIZE64, &bytes) ? 0 : bytes / 512;
}

/* Configuration interrupts of the disk, on all processors. */
static unsigned long config_interrupts(void)
{
	char link[256], want[64], line[512], *p;
	unsigned long sum = 0, n;
	ssize_t len;
	int at;
	FILE *f;

	snprintf(line, sizeof(line), "/sys/block/%s/device", disk);
	len = readlink(line, link, sizeof(link) - 1);
	link[len < 0 ? 0 : len] = 0;
	p = strrchr(link, '/');
	snprintf(want, sizeof(want), "%.32s-config\n", p ? p + 1 : link);
	f = fopen("/proc/interrupts", "r");
	while (f && fgets(line, sizeof(line), f)) {
		len = strlen(line) - strlen(want);
		p = strchr(line, ':');
		if (len < 0 || strcmp(line + len, want) || !p)
			continue;
		for (p++; sscanf(p, "%lu%n", &n, &at) == 1; p += at)
			sum += n;
	}
	if (f)
		fclose(f);
	return sum;
}

/* Return: NULL, or what is wrong */
static const char *put(uint64_t block, unsigned int seed)
{
	unsigned int i;

	for (i = 0; i < BLOCK; i++)
		out[i] = (char)(seed + i * 7 + block);
	errno = 0;
	if (pwrite(fd, out, BLOCK, block * BLOCK) != BLOCK ||
	    pread(fd, in, BLOCK, block * BLOCK) != BLOCK)
		return errno ? strerror(errno) : "less than was asked for";
	return memcmp(in, out, BLOCK) ? "not what was written" : NULL;
}

static void churn(void)
{
	uint64_t size = sectors(), is;
	unsigned long before = config_interrupts();
	const char *wrong;
	double beat = 0;
	unsigned int n;

	for (n = 0;; n++) {
		wrong = put(n % BLOCKS, n);
		is = sectors();
		if (!wrong && is != size) {
			size = is;
			wrong = put(size * 512 / BLOCK - 1, n);
			if (!wrong)
				printf("GREW %s %llu, %lu interrupts\n", disk,
				       (unsigned long long)size, config_interrupts() - before);
		}
		if (wrong) {
			printf("FAILED %s %s\n", disk, wrong);
			usleep(500000);
		} else if (now() - beat > 0.4) {
			beat = now();
			printf("BEAT %s\n", disk);
		} else {
			usleep(50000);
		}
	}
}

int main(int argc, char **argv)
{
	char path[64];
	int i;

	setlinebuf(stdout);
	for (i = 1; i < argc - 1 && fork(); i++)
		;
	if (i >= argc)
		return 2;
	disk = argv[i];
	snprintf(path, sizeof(path), "/dev/%s", disk);
	fd = open(path, O_RDWR | O_DIRECT);
	if (fd < 0 || posix_memalign((void **)&out, BLOCK, BLOCK) ||
	    posix_memalign((void **)&in, BLOCK, BLOCK)) {
		printf("FAILED %s %s\n", disk, strerror(errno));
		return 1;
	}
	churn();
}
