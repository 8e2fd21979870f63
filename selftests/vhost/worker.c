// SPDX-License-Identifier: GPL-2.0
/*
 * What a worker has of its owner: whose thread it is, its cgroup, its processors,
 * its nice value; and what the owner's limits on threads do to it.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#include "kselftest.h"
#include "table.h"

#define CGROUPS	"/sys/fs/cgroup"

static void read_file(const char *path, char *text, size_t size)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC), n = 0;

	if (fd >= 0) {
		n = read(fd, text, size - 1);
		close(fd);
	}
	text[n > 0 ? n : 0] = 0;
}

static bool write_file(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);
	bool ok = fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text);

	if (fd >= 0)
		close(fd);
	return ok;
}

/* Is the task of a directory of @dir a worker of this process? */
static bool is_worker(const char *dir, const char *tid)
{
	char path[300], comm[32], name[32];

	snprintf(path, sizeof(path), "%s/%s/comm", dir, tid);
	read_file(path, comm, sizeof(comm));
	snprintf(name, sizeof(name), "vhost-%d", getpid());
	return strstr(comm, name);
}

/* Call @fn for each worker; threads of the owner are in its own directory. */
static unsigned int for_workers(const char *dir, void (*fn)(const char *dir, void *arg), void *arg)
{
	unsigned int n = 0;
	struct dirent *e;
	char path[300];
	DIR *d = opendir(dir);

	must(d, "%s: %m", dir);
	while ((e = readdir(d))) {
		if (e->d_name[0] < '0' || e->d_name[0] > '9' || !is_worker(dir, e->d_name))
			continue;
		snprintf(path, sizeof(path), "%s/%s", dir, e->d_name);
		if (fn)
			fn(path, arg);
		n++;
	}
	closedir(d);
	return n;
}

static void each_worker(void (*fn)(const char *dir, void *arg), void *arg)
{
	if (!for_workers("/proc/self/task", fn, arg))
		for_workers("/proc", fn, arg);
}

static void say_threads(struct answer *a)
{
	if (for_workers("/proc/self/task", NULL, NULL))
		say(a, "a thread of the owner");
	else
		say(a, for_workers("/proc", NULL, NULL) ? "a thread of the kernel" : "no thread");
}

struct look {
	const char *file;
	const char *key;
	char seen[4096];
	bool mixed;
};

/* The line of a file that begins with a key, the same of all workers. */
static void look_at(const char *dir, void *arg)
{
	struct look *l = arg;
	char path[400], text[4096], *line, *end;

	snprintf(path, sizeof(path), "%s/%s", dir, l->file);
	read_file(path, text, sizeof(text));
	line = l->key ? strstr(text, l->key) : text;
	if (!line)
		return;
	end = strchr(line, '\n');
	if (end)
		*end = 0;
	l->mixed |= l->seen[0] && strcmp(l->seen, line);
	snprintf(l->seen, sizeof(l->seen), "%s", line);
}

static void say_line(struct answer *a, const char *file, const char *key)
{
	struct look l = { .file = file, .key = key };

	each_worker(look_at, &l);
	say(a, " %s", l.mixed ? "mixed" : l.seen[0] ? l.seen : "nothing");
}

/* Nice value of the workers: field 19 of stat, the 17th behind the name. */
static void look_nice(const char *dir, void *arg)
{
	int *nice = arg, i;
	char path[400], text[1024], *p;

	snprintf(path, sizeof(path), "%s/stat", dir);
	read_file(path, text, sizeof(text));
	p = strrchr(text, ')');
	for (i = 0; p && i < 17; i++)
		p = strchr(p + 1, ' ');
	if (p)
		*nice = atoi(p + 1);
}

static void say_cgroup(struct answer *a)
{
	struct look l = { .file = "cgroup", .key = "0::" };
	char own[4096], *end;

	each_worker(look_at, &l);
	read_file("/proc/self/cgroup", own, sizeof(own));
	end = strchr(own, '\n');
	if (end)
		*end = 0;
	if (l.mixed || strcmp(l.seen, strstr(own, "0::")))
		say(a, " elsewhere");
	else
		say(a, " with the owner");
}

/* A cgroup of a process below the root. */
static void name_cgroup(char *path, char name, pid_t pid)
{
	snprintf(path, 80, CGROUPS "/kvhost-table-%c-%d", name, pid);
}

static void make_cgroup(char *path, char name)
{
	name_cgroup(path, name, getpid());
	must(!mkdir(path, 0755), "%s: %m", path);
}

/* Kernel threads leave theirs when the device is closed. */
static void remove_cgroups(pid_t pid)
{
	const struct timespec pause = { .tv_nsec = 1000000 };
	const u64 end = now_ms() + LIMIT_MS;
	const char *name;
	char path[80];

	for (name = "abp"; *name; name++) {
		name_cgroup(path, *name, pid);
		while (rmdir(path) && errno == EBUSY && now_ms() < end)
			nanosleep(&pause, NULL);
		must(access(path, F_OK), "%s is still there", path);
	}
}

static void enter_cgroup(const char *path)
{
	char procs[100], pid[16];

	snprintf(procs, sizeof(procs), "%s/cgroup.procs", path);
	snprintf(pid, sizeof(pid), "%d", getpid());
	must(write_file(procs, pid), "%s: %m", procs);
}

/* Own it, and start a queue: either makes a worker. */
static void say_started(struct side *s, struct answer *a)
{
	int r = side_call(s, VHOST_SET_OWNER, NULL);

	say(a, " %s", error_name(r));
	if (r)
		return;
	side_prepare(s);
	say(a, ", start %s", error_name(side_backend(s, TX, s->p.back)));
}

enum trait { WHOSE, NICE, PROCESSORS, CGROUP, LATER_CGROUP, PIDS_MAX, NPROC };

static void later_cgroup(struct side *s, struct answer *a)
{
	char first[80], second[80];

	make_cgroup(first, 'a');
	make_cgroup(second, 'b');
	enter_cgroup(first);
	side_start(s);
	enter_cgroup(second);
	say_cgroup(a);
	say(a, ", the old one %s", rmdir(first) ? strerrorname_np(errno) : "is gone");
	enter_cgroup(CGROUPS);
}

/* As many threads as there are, and no more. */
static void pids_max(struct side *s, struct answer *a)
{
	char dir[80], path[100];

	write_file(CGROUPS "/cgroup.subtree_control", "+pids");
	make_cgroup(dir, 'p');
	enter_cgroup(dir);
	snprintf(path, sizeof(path), "%s/pids.max", dir);
	must(write_file(path, "1"), "%s: %m", path);
	say_started(s, a);
	enter_cgroup(CGROUPS);
}

static void nproc(struct side *s, struct answer *a)
{
	struct rlimit one = { 1, 1 };

	must(!setrlimit(RLIMIT_NPROC, &one) && !setuid(65534), "as nobody: %m");
	say_started(s, a);
}

static void be_owner(struct side *s, enum trait what, struct answer *a)
{
	cpu_set_t cpus;
	int nice = 99;

	if (what == NICE)
		setpriority(PRIO_PROCESS, 0, 5);
	CPU_ZERO(&cpus);
	CPU_SET(0, &cpus);
	if (what == PROCESSORS)
		must(!sched_setaffinity(0, sizeof(cpus), &cpus), "affinity: %m");
	if (what == LATER_CGROUP)
		later_cgroup(s, a);
	else if (what == PIDS_MAX)
		pids_max(s, a);
	else if (what == NPROC)
		nproc(s, a);
	else
		side_start(s);
	if (what == WHOSE)
		say_threads(a);
	if (what == NICE) {
		each_worker(look_nice, &nice);
		say(a, "%d", nice);
	}
	if (what == PROCESSORS)
		say_line(a, "status", "Cpus_allowed_list");
	if (what == CGROUP)
		say_cgroup(a);
}

/* In a process of its own, for all of it is inherited. */
static void ask_trait(struct side *s, const struct row *row, struct answer *a)
{
	pid_t pid;
	int st;

	if (row->req) {
		u8 fork = row->arg;

		say(a, "%s: ", error_name(side_call(s, row->req, &fork)));
	}
	pid = fork();
	must(pid >= 0, "fork: %m");
	if (!pid) {
		be_owner(s, row->v, a);
		_exit(0);
	}
	must(waitpid(pid, &st, 0) == pid && !st, "the owner failed");
	side_close(s);
	remove_cgroups(pid);
}

#define TRAIT(t, ...)	{ .name = "worker: " #t, .ask = ask_trait, .states = IN(OPENED), \
			  .v = t, ##__VA_ARGS__ }
#define FORKED(t, f)	{ .name = "worker, fork " #f ": " #t, .ask = ask_trait, \
			  .states = IN(OPENED), .v = t, .req = _IOW(VHOST_VIRTIO, 0x84, u8), \
			  .arg = f }

static const struct row rows[] = {
	TRAIT(WHOSE), TRAIT(NICE), TRAIT(PROCESSORS), TRAIT(CGROUP), TRAIT(LATER_CGROUP),
	TRAIT(PIDS_MAX, .differs = D_THREAD_LIMITS, .on = K_RING_RESET),
	TRAIT(NPROC, .differs = D_THREAD_LIMITS), FORKED(WHOSE, 0),
	FORKED(NICE, 0), FORKED(CGROUP, 0), FORKED(LATER_CGROUP, 0), FORKED(PIDS_MAX, 0),
	FORKED(WHOSE, 1),
};

int main(void)
{
	table_run(rows, ARRAY_SIZE(rows));
}
