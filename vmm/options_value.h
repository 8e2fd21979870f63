/* SPDX-License-Identifier: GPL-2.0 */
/*
 * options_value.h - tables of options and keys, and how one value is read.
 *
 * For options.c and the files with the keys of its devices.
 */
#ifndef KVHOST_OPTIONS_VALUE_H
#define KVHOST_OPTIONS_VALUE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#define KIB	1024ULL
#define MIB	(1024 * KIB)
#define GIB	(1024 * MIB)

/* What type a value has, and where struct option_def says more. */
enum option_kind {
	KIND_FLAG,	/* bool, no value */
	KIND_BOOL,	/* bool, on or off */
	KIND_STRING,	/* const char *, at most @max bytes when @max */
	KIND_UINT,	/* unsigned int in @min..@max */
	KIND_SIZE,	/* uint64_t in @min..@max; a bare number is in units of @unit */
	KIND_CHOICE,	/* enum, index into @choices */
	KIND_MAC,	/* uint8_t[6] */
	KIND_REMOVED,	/* there was one of that name; @help says why it went */
	KIND_SERIAL,	/* this one and those below: of options.c alone */
	KIND_DISK,
	KIND_NET,
	KIND_HELP,
};

/**
 * struct option_def - one option, or one key of --disk or --net
 * @name:    without dashes
 * @arg:     what the help shows as its value
 * @kind:    how the value is read
 * @off:     where it goes in struct options, disk_options or net_options
 * @def:     the default as a user would have written it, or NULL
 * @min:     smallest value
 * @max:     largest value
 * @unit:    see KIND_SIZE
 * @choices: see KIND_CHOICE
 * @help:    one line
 */
struct option_def {
	const char *name;
	const char *arg;
	enum option_kind kind;
	size_t off;
	const char *def;
	uint64_t min;
	uint64_t max;
	uint64_t unit;
	const char *const *choices;
	const char *help;
};

/**
 * struct option_keys - the keys of one option
 * @where: what the user typed before them, such as "--disk "
 * @table: the keys, ended by one without a name; at most 32
 * @bare:  the key that a value without one most likely belongs to
 */
struct option_keys {
	const char *where;
	const struct option_def *table;
	const char *bare;
};

/* Those that return int return 0, or -EINVAL after one line on stderr. */
const struct option_def *option_find(const struct option_def *table, const char *name,
				     size_t len);
const char *option_suggest(const struct option_def *table, const char *word);
int option_value(const char *where, const struct option_def *def, void *base, const char *value,
		 bool is_default);
int option_defaults(const char *where, const struct option_def *table, void *base);
/* Store "KEY=VALUE" or "FLAG" into the structure at @base; @seen: bits of the keys so far. */
int option_key(const struct option_keys *keys, void *base, char *item, unsigned int *seen);
bool option_seen(const struct option_keys *keys, const char *name, unsigned int seen);
char *option_next_item(char **rest);
void option_help(FILE *out, const struct option_def *table, const char *dashes,
		 const char *between);

/* options_net.c */
struct net_options;
int options_parse_net(struct net_options *net, char *text);
void options_help_net(FILE *out);

#endif
