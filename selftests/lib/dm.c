// SPDX-License-Identifier: GPL-2.0
/*
 * Runs dmsetup for the tests: see dm.h. Test hosts have no udev, so dmsetup is
 * told to make the nodes and to drop those of devices that are gone.
 */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include "backing.h"
#include "dm.h"

static const char *const targets[] = { "delay", "flakey", "log-writes", NULL };

/* The module of the first word that is a target's name; an unknown one is dm's own. */
static void load_target(const char *table)
{
	unsigned int i;

	for (i = 0; targets[i]; i++)
		if (strstr(table, targets[i]))
			__run("modprobe -q dm-%s", targets[i]);
}

/* One line of a table, or several separated by ';'. */
static int with_table(const char *verb, const char *name, const char *table)
{
	return __run("echo '%s' | tr ';' '\\n' | dmsetup %s %s >/dev/null", table,
		     verb, name);
}

/**
 * dm_make() - make a device
 * @name: of the device
 * @fmt:  its table; lines are separated by ';'
 *
 * Return: its path, NULL when this machine cannot.
 */
const char *dm_make(const char *name, const char *fmt, ...)
{
	char table[512], undo[192], path[BACKING_PATH];
	va_list args;

	va_start(args, fmt);
	vsnprintf(table, sizeof(table), fmt, args);
	va_end(args);
	__run("modprobe -q dm-mod");
	load_target(table);
	if (with_table("create", name, table) || __run("dmsetup mknodes %s", name))
		return NULL;
	snprintf(path, sizeof(path), "/dev/mapper/%s", name);
	snprintf(undo, sizeof(undo),
		 "dmsetup resume %s; dmsetup remove --retry %s; dmsetup mknodes", name, name);
	return backing_add(path, undo);
}

/**
 * dm_load() - give a device another table; what is in flight is waited for
 * @name: of the device
 * @fmt:  as for dm_make()
 */
void dm_load(const char *name, const char *fmt, ...)
{
	char table[512];
	va_list args;

	va_start(args, fmt);
	vsnprintf(table, sizeof(table), fmt, args);
	va_end(args);
	load_target(table);
	must(!with_table("load", name, table), "dmsetup load %s '%s' failed", name, table);
	dm_suspend(name);
	dm_resume(name);
}

/**
 * dm_suspend() - let a device keep all I/O to itself from now on
 * @name: of the device
 */
void dm_suspend(const char *name)
{
	must(!__run("dmsetup suspend --nolockfs %s", name), "dmsetup suspend %s failed", name);
}

/**
 * dm_resume() - undo dm_suspend()
 * @name: of the device
 */
void dm_resume(const char *name)
{
	must(!__run("dmsetup resume %s", name), "dmsetup resume %s failed", name);
}

/**
 * dm_mark() - have a log-writes device note that something happened
 * @name: of the device
 * @mark: a word
 */
void dm_mark(const char *name, const char *mark)
{
	must(!__run("dmsetup message %s 0 mark %s", name, mark), "dmsetup mark %s in %s failed",
	     mark, name);
}

/**
 * dm_remove() - remove a device before its time; nothing may have it open
 * @name: of the device
 */
void dm_remove(const char *name)
{
	must(!__run("dmsetup remove --retry %s && dmsetup mknodes", name),
	     "dmsetup remove %s failed", name);
}
