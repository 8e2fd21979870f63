// SPDX-License-Identifier: GPL-2.0
/*
 * Mounts a file system, has an owner put files of it behind a device, ends the
 * owner or the device, and unmounts at once.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/wait.h>
#include <unistd.h>
#include <linux/vhost.h>
#include "busy.h"

#define EXPEDITED	"/sys/kernel/rcu_expedited"

static int set_expedited(int value)
{
	FILE *f = fopen(EXPEDITED, "r+e");
	int old;

	must(f && fscanf(f, "%d", &old) == 1, EXPEDITED ": %m");
	rewind(f);
	must(fprintf(f, "%d", value) > 0 && !fclose(f), EXPEDITED ": %m");
	return old;
}

/**
 * busy_init() - make a place to mount at
 * @b:         result
 * @expedited: have grace periods of RCU be short; a long one gives work that the
 *             kernel defers the time to be done
 */
void busy_init(struct busy *b, bool expedited)
{
	*b = (struct busy) { .dir = "/tmp/kvh_busy.XXXXXX", .expedited = -1 };
	must(mkdtemp(b->dir), "%s: %m", b->dir);
	if (expedited)
		b->expedited = set_expedited(1);
}

/**
 * busy_exit() - undo busy_init()
 * @b: nothing is mounted
 */
void busy_exit(struct busy *b)
{
	if (b->expedited >= 0)
		set_expedited(b->expedited);
	must(!rmdir(b->dir), "%s: %m", b->dir);
}

/**
 * busy_file() - make a file in the mounted file system
 * @b:    in the function that busy_round() calls
 * @name: of the file
 * @size: bytes
 *
 * Return: its descriptor.
 */
int busy_file(struct busy *b, const char *name, size_t size)
{
	char path[64];
	int fd;

	snprintf(path, sizeof(path), "%s/%s", b->dir, name);
	fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	must(fd >= 0 && !ftruncate(fd, size), "%s: %m", path);
	return fd;
}

/**
 * busy_map() - put a file of the mounted file system behind memory
 * @b:    in the function that busy_round() calls
 * @va:   address of the memory
 * @size: bytes
 */
void busy_map(struct busy *b, void *va, size_t size)
{
	int fd = busy_file(b, "memory", size);

	must(mmap(va, size, PROT_READ | PROT_WRITE, MAP_FIXED | MAP_SHARED, fd, 0) == va,
	     "mmap: %m");
	close(fd);
}

/* Whether anything is still in use. What is mounted is gone afterwards. */
static bool is_busy(const struct busy *b)
{
	bool busy = b->check && b->check();

	if (!umount2(b->dir, 0))
		return busy;
	must(errno == EBUSY, "umount %s: %m", b->dir);
	must(!umount2(b->dir, MNT_DETACH), "umount %s: %m", b->dir);
	return true;
}

static bool is_memory(const char *line, const char *dir, unsigned long *from, unsigned long *to)
{
	return strstr(line, dir) && sscanf(line, "%lx-%lx", from, to) == 2;
}

/* Unmap files of the mounted file system. */
static void unmap_all(const struct busy *b)
{
	FILE *f = fopen("/proc/self/maps", "re");
	unsigned long from, to;
	char line[300];

	must(f, "/proc/self/maps: %m");
	while (fgets(line, sizeof(line), f))
		if (is_memory(line, b->dir, &from, &to))
			munmap((void *)from, to - from);
	fclose(f);
}

/* The owner; exits with whether something is still in use, if that is its to see. */
static _Noreturn void owner(struct busy *b, enum busy_end end, int (*start)(struct busy *b),
			    int ready)
{
	int dev = start(b);

	if (end == BUSY_CLOSE || end == BUSY_RESET) {
		unmap_all(b);
		if (end == BUSY_CLOSE)
			close(dev);
		else
			must(!ioctl(dev, VHOST_RESET_OWNER, NULL), "VHOST_RESET_OWNER: %m");
		_exit(is_busy(b));
	}
	must(write(ready, "", 1) == 1, "pipe: %m");
	if (end == BUSY_KILL)
		for (;;)
			pause();
	_exit(0);
}

/**
 * busy_round() - start a device, end it, and look what is still in use
 * @b:     a place to mount at
 * @end:   how it ends
 * @start: puts files behind a device; called in the owner, a process of its own,
 *         which it leaves with no descriptor that keeps them but the device's
 *
 * Return: true if something is.
 */
bool busy_round(struct busy *b, enum busy_end end, int (*start)(struct busy *b))
{
	int p[2], st;
	pid_t pid;
	char c;

	must(!mount("kvh_busy", b->dir, "tmpfs", 0, "size=64m"), "mount %s: %m", b->dir);
	must(!pipe2(p, O_CLOEXEC), "pipe: %m");
	pid = fork();
	must(pid >= 0, "fork: %m");
	if (!pid)
		owner(b, end, start, p[1]);
	close(p[1]);
	if (read(p[0], &c, 1) == 1 && end == BUSY_KILL)
		kill(pid, SIGKILL);
	close(p[0]);
	must(waitpid(pid, &st, 0) == pid, "waitpid: %m");
	if (end == BUSY_CLOSE || end == BUSY_RESET) {
		must(WIFEXITED(st) && WEXITSTATUS(st) < 2, "the owner failed");
		return WEXITSTATUS(st);
	}
	must(end == BUSY_KILL ? WIFSIGNALED(st) && WTERMSIG(st) == SIGKILL :
				WIFEXITED(st) && !WEXITSTATUS(st), "the owner failed");
	return is_busy(b);
}
