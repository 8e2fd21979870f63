// SPDX-License-Identifier: GPL-2.0
/*
 * options.c - the command line of `kvhost run`.
 *
 * Two tables, one of options and one of --disk keys, say everything there is to
 * say about each: its name, its kind, its limits, its default and its help line.
 * The parser, the defaults, the help text and the proposals for misspelt names
 * all read them. A wrong option costs one line on stderr that names the value
 * and says what would have been right.
 */
#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "options.h"
#include "util.h"

#define KIB	1024ULL
#define MIB	(1024 * KIB)
#define GIB	(1024 * MIB)

/* The largest burst the backends count. */
#define OPTIONS_BURST_MAX	(4 * GIB)

enum kind {
	KIND_FLAG,	/* bool, no value */
	KIND_BOOL,	/* bool, on or off */
	KIND_STRING,	/* const char *, at most @max bytes when @max */
	KIND_UINT,	/* unsigned int in @min..@max */
	KIND_SIZE,	/* uint64_t in @min..@max; a bare number is in units of @unit */
	KIND_CHOICE,	/* enum, index into @choices */
	KIND_SERIAL,
	KIND_DISK,
	KIND_HELP,
};

/**
 * struct option_def - one option or one key of --disk
 * @name:    without dashes
 * @arg:     what the help shows as its value
 * @kind:    how the value is read
 * @off:     where it goes in struct options or struct disk_options
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
	enum kind kind;
	size_t off;
	const char *def;
	uint64_t min;
	uint64_t max;
	uint64_t unit;
	const char *const *choices;
	const char *help;
};

static const char *const backends[] = { "kernel", "user", NULL };
static const char *const caches[] = { "writeback", "writethrough", NULL };

#define OPT(field)	offsetof(struct options, field)
#define DISK(field)	offsetof(struct disk_options, field)

static const struct option_def option_table[] = {
	{ .name = "kernel", .arg = "FILE", .kind = KIND_STRING, .off = OPT(kernel),
	  .help = "Linux bzImage or vmlinux to boot (required)" },
	{ .name = "initrd", .arg = "FILE", .kind = KIND_STRING, .off = OPT(initrd),
	  .help = "initial RAM disk" },
	{ .name = "append", .arg = "STRING", .kind = KIND_STRING, .off = OPT(append),
	  .help = "kernel command line; goes behind `pci=noearly console=ttyS0`" },
	{ .name = "cpus", .arg = "N", .kind = KIND_UINT, .off = OPT(cpus), .def = "1",
	  .min = 1, .max = OPTIONS_CPUS_MAX, .help = "virtual CPUs" },
	{ .name = "memory", .arg = "SIZE", .kind = KIND_SIZE, .off = OPT(memory), .def = "512M",
	  .min = 64 * MIB, .max = 64 * GIB, .unit = MIB,
	  .help = "guest RAM in MiB, or with suffix M or G" },
	{ .name = "disk", .arg = "KEY=VALUE,...", .kind = KIND_DISK,
	  .help = "add a virtio disk; may be given several times" },
	{ .name = "serial", .arg = "stdio|file=PATH|none", .kind = KIND_SERIAL, .off = OPT(serial),
	  .def = "stdio",
	  .help = "where the first serial port goes; Ctrl-A x on a terminal quits" },
	{ .name = "control", .arg = "PATH", .kind = KIND_STRING, .off = OPT(control), .max = 107,
	  .help = "listen on a unix socket for `kvhost ctl`" },
	{ .name = "name", .arg = "NAME", .kind = KIND_STRING, .off = OPT(name), .def = "guest",
	  .max = 64, .help = "name of the VM, shown by status" },
	{ .name = "no-reboot", .kind = KIND_FLAG, .off = OPT(no_reboot),
	  .help = "end the run when the guest reboots" },
	{ .name = "sandbox", .arg = "on|off", .kind = KIND_BOOL, .off = OPT(sandbox), .def = "on",
	  .help = "no new privileges, system call filter, no root" },
	{ .name = "user", .arg = "NAME", .kind = KIND_STRING, .off = OPT(user),
	  .help = "account to run the guest as when started by root (default: nobody)" },
	{ .name = "help", .kind = KIND_HELP, .help = "show this text" },
	{ .name = NULL },
};

static const struct option_def disk_table[] = {
	{ .name = "path", .arg = "FILE", .kind = KIND_STRING, .off = DISK(path),
	  .help = "block device or raw image file (required)" },
	{ .name = "backend", .arg = "kernel|user", .kind = KIND_CHOICE, .off = DISK(backend),
	  .def = "kernel", .choices = backends, .help = "who processes the queues" },
	{ .name = "readonly", .arg = "on|off", .kind = KIND_BOOL, .off = DISK(readonly),
	  .def = "off", .help = "refuse writes" },
	{ .name = "serial", .arg = "STRING", .kind = KIND_STRING, .off = DISK(serial), .def = "",
	  .max = OPTIONS_SERIAL_BYTES, .help = "serial number the guest reads" },
	{ .name = "queues", .arg = "N", .kind = KIND_UINT, .off = DISK(queues), .min = 1,
	  .max = OPTIONS_QUEUES_MAX, .help = "virtqueues (default: one per virtual CPU)" },
	{ .name = "queue_size", .arg = "N", .kind = KIND_UINT, .off = DISK(queue_size),
	  .def = "256", .min = 2, .max = 32768,
	  .help = "entries per virtqueue; a power of two unless packed=on" },
	{ .name = "cache", .arg = "writeback|writethrough", .kind = KIND_CHOICE,
	  .off = DISK(cache), .def = "writeback", .choices = caches,
	  .help = "writethrough: a write is durable when it completes" },
	{ .name = "direct", .arg = "on|off", .kind = KIND_BOOL, .off = DISK(direct), .def = "on",
	  .help = "bypass the host's page cache" },
	{ .name = "offset", .arg = "SIZE", .kind = KIND_SIZE, .off = DISK(offset), .def = "0",
	  .max = INT64_MAX, .unit = 1,
	  .help = "where the disk begins in FILE, in bytes or with K, M, G, T" },
	{ .name = "length", .arg = "SIZE", .kind = KIND_SIZE, .off = DISK(length), .def = "0",
	  .max = INT64_MAX, .unit = 1, .help = "length of the disk; 0: up to the end of FILE" },
	{ .name = "packed", .arg = "on|off", .kind = KIND_BOOL, .off = DISK(packed), .def = "off",
	  .help = "offer the packed ring" },
	{ .name = "in_order", .arg = "on|off", .kind = KIND_BOOL, .off = DISK(in_order),
	  .def = "off", .help = "offer in-order completion" },
	{ .name = "indirect", .arg = "on|off", .kind = KIND_BOOL, .off = DISK(indirect),
	  .def = "on", .help = "offer indirect descriptors" },
	{ .name = "event_idx", .arg = "on|off", .kind = KIND_BOOL, .off = DISK(event_idx),
	  .def = "on", .help = "offer event indices" },
	{ .name = "poll", .arg = "US", .kind = KIND_UINT, .off = DISK(poll), .def = "50",
	  .max = 10000, .help = "kernel backend: longest wait for more work, microseconds" },
	{ .name = "poll_queues", .arg = "on|off", .kind = KIND_BOOL, .off = DISK(poll_queues),
	  .def = "off", .help = "kernel backend: while spinning, use the disk's poll queues" },
	{ .name = "iops", .arg = "N", .kind = KIND_SIZE, .off = DISK(limits.iops), .def = "0",
	  .max = INT64_MAX, .unit = 1,
	  .help = "most requests per second, all queues together; 0: any" },
	{ .name = "iops_burst", .arg = "N", .kind = KIND_SIZE, .off = DISK(limits.iops_burst),
	  .def = "0", .max = OPTIONS_BURST_MAX, .unit = 1,
	  .help = "requests that may begin at once after a rest; 0: a tenth of iops" },
	{ .name = "bps", .arg = "SIZE", .kind = KIND_SIZE, .off = DISK(limits.bps), .def = "0",
	  .max = INT64_MAX, .unit = 1,
	  .help = "most bytes per second, all queues together; 0: any" },
	{ .name = "bps_burst", .arg = "SIZE", .kind = KIND_SIZE, .off = DISK(limits.bps_burst),
	  .def = "0", .max = OPTIONS_BURST_MAX, .unit = 1,
	  .help = "bytes that may be moved at once after a rest; 0: a tenth of bps" },
	{ .name = "workers", .arg = "N", .kind = KIND_UINT, .off = DISK(workers), .def = "0",
	  .max = OPTIONS_QUEUES_MAX,
	  .help = "kernel backend: threads that share the queues; 0: one per queue" },
	{ .name = "registered", .arg = "on|off", .kind = KIND_BOOL, .off = DISK(registered),
	  .def = "off", .help = "kernel backend: pin all guest RAM; spares a pin per request" },
	{ .name = "node", .arg = "FILE", .kind = KIND_STRING, .off = DISK(node),
	  .def = "/dev/kvhost-blk", .help = "device node of the kernel backend" },
	{ .name = NULL },
};

static const struct option_def *find(const struct option_def *table, const char *name, size_t len)
{
	for (; table->name; table++)
		if (strlen(table->name) == len && !memcmp(table->name, name, len))
			return table;
	return NULL;
}

/* Levenshtein distance; names are short, so two rows on the stack do. */
static unsigned int distance(const char *a, const char *b)
{
	unsigned int row[65], diag, up;
	size_t m = strlen(a), n = strlen(b);

	if (m > 64 || n > 64)
		return 64;
	for (size_t j = 0; j <= n; j++)
		row[j] = (unsigned int)j;
	for (size_t i = 1; i <= m; i++) {
		diag = row[0];
		row[0] = (unsigned int)i;
		for (size_t j = 1; j <= n; j++) {
			up = row[j];
			row[j] = diag + (a[i - 1] != b[j - 1]);
			if (row[j] > up + 1)
				row[j] = up + 1;
			if (row[j] > row[j - 1] + 1)
				row[j] = row[j - 1] + 1;
			diag = up;
		}
	}
	return row[n];
}

/**
 * options_suggest() - guess what a misspelt word meant
 * @word:  as typed
 * @names: NULL-terminated list of right words
 *
 * Return: the closest name, or NULL when none is near.
 */
const char *options_suggest(const char *word, const char *const *names)
{
	unsigned int best = (unsigned int)strlen(word) / 3 + 2;
	const char *found = NULL;

	for (; *names; names++) {
		unsigned int d = distance(word, *names);

		if (d < best) {
			best = d;
			found = *names;
		}
	}
	return found;
}

static const char *suggest_in(const struct option_def *table, const char *word)
{
	const char *names[ARRAY_SIZE(option_table) + ARRAY_SIZE(disk_table)];
	size_t n = 0;

	for (; table->name; table++)
		names[n++] = table->name;
	names[n] = NULL;
	return options_suggest(word, names);
}

static const char *size_text(char *buf, size_t len, uint64_t v)
{
	if (v >= GIB && !(v % GIB))
		snprintf(buf, len, "%lluG", (unsigned long long)(v / GIB));
	else if (v >= MIB && !(v % MIB))
		snprintf(buf, len, "%lluM", (unsigned long long)(v / MIB));
	else
		snprintf(buf, len, "%llu", (unsigned long long)v);
	return buf;
}

static int number(const char *s, char **end, uint64_t *v)
{
	if (!isdigit((unsigned char)*s))
		return -EINVAL;
	errno = 0;
	*v = strtoull(s, end, 10);
	return errno ? -ERANGE : 0;
}

static int parse_uint(const char *where, const struct option_def *def, unsigned int *to,
		      const char *value)
{
	uint64_t v;
	char *end;

	if (number(value, &end, &v) || *end || v < def->min || v > def->max) {
		log_error("%s%s: '%s' is not a number from %llu to %llu", where, def->name, value,
			  (unsigned long long)def->min, (unsigned long long)def->max);
		return -EINVAL;
	}
	*to = (unsigned int)v;
	return 0;
}

static int parse_size(const char *where, const struct option_def *def, uint64_t *to,
		      const char *value)
{
	static const char suffixes[] = "KMGT";
	uint64_t v, unit = def->unit;
	const char *suffix;
	char lo[32], hi[32];
	char *end;

	if (number(value, &end, &v))
		goto bad;
	if (*end) {
		suffix = strchr(suffixes, toupper((unsigned char)*end));
		if (!suffix || end[1])
			goto bad;
		unit = 1ULL << (10 * (suffix - suffixes + 1));
	}
	if (__builtin_mul_overflow(v, unit, &v) || v < def->min || v > def->max)
		goto bad;
	*to = v;
	return 0;
bad:
	log_error("%s%s: '%s' is not a size from %s to %s, such as 512M or 2G", where, def->name,
		  value, size_text(lo, sizeof(lo), def->min), size_text(hi, sizeof(hi), def->max));
	return -EINVAL;
}

static int parse_choice(const char *where, const struct option_def *def, unsigned int *to,
			const char *value)
{
	for (unsigned int i = 0; def->choices[i]; i++) {
		if (!strcmp(def->choices[i], value)) {
			*to = i;
			return 0;
		}
	}
	log_error("%s%s: '%s' is not one of %s", where, def->name, value, def->arg);
	return -EINVAL;
}

static int parse_bool(const char *where, const struct option_def *def, bool *to, const char *value)
{
	if (strcmp(value, "on") && strcmp(value, "off")) {
		log_error("%s%s: '%s' is neither on nor off", where, def->name, value);
		return -EINVAL;
	}
	*to = !strcmp(value, "on");
	return 0;
}

static int parse_string(const char *where, const struct option_def *def, const char **to,
			const char *value, bool is_default)
{
	if (!*value && !is_default) {
		log_error("%s%s: empty; it takes %s", where, def->name, def->arg);
		return -EINVAL;
	}
	if (def->max && strlen(value) > def->max) {
		log_error("%s%s: '%s' is longer than %llu bytes", where, def->name, value,
			  (unsigned long long)def->max);
		return -EINVAL;
	}
	*to = value;
	return 0;
}

static int parse_serial(struct options *opt, const char *value)
{
	if (!strcmp(value, "stdio")) {
		opt->serial = SERIAL_STDIO;
	} else if (!strcmp(value, "none")) {
		opt->serial = SERIAL_NONE;
	} else if (!strncmp(value, "file=", 5) && value[5]) {
		opt->serial = SERIAL_FILE;
		opt->serial_path = value + 5;
	} else {
		log_error("--serial: '%s' is not one of stdio, file=PATH or none", value);
		return -EINVAL;
	}
	return 0;
}

static int parse_disk(struct options *opt, const char *value);

/* Store @value into the structure at @base; @where is what the user typed before the name. */
static int parse_value(const char *where, const struct option_def *def, void *base,
		       const char *value, bool is_default)
{
	void *to = (char *)base + def->off;

	switch (def->kind) {
	case KIND_FLAG:
		*(bool *)to = true;
		return 0;
	case KIND_BOOL:
		return parse_bool(where, def, to, value);
	case KIND_STRING:
		return parse_string(where, def, to, value, is_default);
	case KIND_UINT:
		return parse_uint(where, def, to, value);
	case KIND_SIZE:
		return parse_size(where, def, to, value);
	case KIND_CHOICE:
		return parse_choice(where, def, to, value);
	case KIND_SERIAL:
		return parse_serial(base, value);
	case KIND_DISK:
		return parse_disk(base, value);
	case KIND_HELP:
		break;
	}
	return -EINVAL;
}

static int set_defaults(const char *where, const struct option_def *table, void *base)
{
	int err = 0;

	for (; !err && table->name; table++)
		if (table->def)
			err = parse_value(where, table, base, table->def, true);
	return err;
}

static int parse_disk_key(struct disk_options *disk, char *item, unsigned int *seen)
{
	const struct option_def *def;
	char *eq = strchr(item, '=');
	const char *hint;

	def = find(disk_table, item, eq ? (size_t)(eq - item) : strlen(item));
	if (!def) {
		if (eq)
			*eq = 0;
		hint = suggest_in(disk_table, item);
		log_error("--disk: unknown key '%s'%s%s%s; `kvhost run --help` lists them", item,
			  hint ? "; did you mean '" : "", hint ? hint : "", hint ? "'?" : "");
		return -EINVAL;
	}
	if (!eq) {
		log_error("--disk: '%s' has no value; write %s=%s", item, def->name, def->arg);
		return -EINVAL;
	}
	if (*seen & 1U << (def - disk_table)) {
		log_error("--disk: '%s' is given twice", def->name);
		return -EINVAL;
	}
	*seen |= 1U << (def - disk_table);
	return parse_value("--disk ", def, disk, eq + 1, false);
}

static int check_limits(const struct disk_limits *l)
{
	const char *burst = l->iops_burst && !l->iops ? "iops" : NULL;

	if (l->bps_burst && !l->bps)
		burst = "bps";
	if (!burst)
		return 0;
	log_error("--disk %s_burst: there is no limit to burst; add %s=", burst, burst);
	return -EINVAL;
}

/* Cut the next item off @rest at a comma; a doubled comma stands for itself. */
static char *next_item(char **rest)
{
	char *item = *rest, *in = item, *out = item;

	while (*in) {
		if (*in == ',' && in[1] != ',')
			break;
		if (*in == ',')
			in++;
		*out++ = *in++;
	}
	*rest = *in ? in + 1 : NULL;
	*out = 0;
	return item;
}

static int parse_disk(struct options *opt, const char *value)
{
	struct disk_options *disk = &opt->disks[opt->nr_disks];
	unsigned int seen = 0;
	char *copy, *rest;
	int err;

	if (opt->nr_disks == OPTIONS_DISKS_MAX) {
		log_error("--disk: '%s' is one more than the %d disks a VM can have", value,
			  OPTIONS_DISKS_MAX);
		return -EINVAL;
	}
	copy = strdup(value);
	if (!copy)
		return -ENOMEM;
	opt->disk_text[opt->nr_disks++] = copy;
	err = set_defaults("--disk ", disk_table, disk);
	for (rest = copy; !err && rest;)
		err = parse_disk_key(disk, next_item(&rest), &seen);
	if (err)
		return err;
	if (!disk->path) {
		log_error("--disk: '%s' names no disk; add path=FILE", value);
		return -EINVAL;
	}
	err = check_limits(&disk->limits);
	if (err)
		return err;
	if (!disk->packed && disk->queue_size & (disk->queue_size - 1)) {
		log_error("--disk queue_size: '%u' is not a power of two; choose one, or packed=on",
			  disk->queue_size);
		return -EINVAL;
	}
	return 0;
}

/**
 * options_parse_limits() - read new limits of a disk
 * @limits: filled in; what is not named is not limited
 * @text:   "KEY=VALUE,..." as in --disk, "" for none; is cut up
 *
 * Return: 0, or -EINVAL after one line on stderr.
 */
int options_parse_limits(struct disk_limits *limits, char *text)
{
	struct disk_options disk = { };
	const struct option_def *def;
	unsigned int seen = 0;
	int err = 0;
	char *rest, *item;

	for (rest = *text ? text : NULL; !err && rest;) {
		item = next_item(&rest);
		def = find(disk_table, item, strcspn(item, "="));
		if (def && (def->off < DISK(limits) ||
			    def->off >= DISK(limits) + sizeof(*limits))) {
			log_error("--disk: '%s' cannot be changed while the VM runs", def->name);
			return -EINVAL;
		}
		err = parse_disk_key(&disk, item, &seen);
	}
	if (!err)
		err = check_limits(&disk.limits);
	*limits = disk.limits;
	return err;
}

/* One argument, with its value from behind '=' or from the next one; returns how many it took. */
static int parse_argument(struct options *opt, int argc, char **argv)
{
	const struct option_def *def;
	const char *name = argv[0] + 2, *eq, *value, *hint;
	char word[64];
	int took = 1, err;

	if (strncmp(argv[0], "--", 2) || !*name) {
		log_error("'%s' is not an option; options begin with -- (see `kvhost run --help`)",
			  argv[0]);
		return -EINVAL;
	}
	eq = strchr(name, '=');
	snprintf(word, sizeof(word), "%.*s", eq ? (int)(eq - name) : (int)strlen(name), name);
	def = find(option_table, word, strlen(word));
	if (!def) {
		hint = suggest_in(option_table, word);
		log_error("unknown option '--%s'%s%s%s; `kvhost run --help` lists them", word,
			  hint ? "; did you mean '--" : "", hint ? hint : "", hint ? "'?" : "");
		return -EINVAL;
	}
	if (def->kind == KIND_HELP) {
		options_help(stdout);
		return 0;
	}
	value = eq ? eq + 1 : NULL;
	if (def->kind == KIND_FLAG && value) {
		log_error("--%s: takes no value, but got '%s'", def->name, value);
		return -EINVAL;
	}
	if (def->kind != KIND_FLAG && !value) {
		if (argc < 2) {
			log_error("--%s: its value is missing; write --%s %s", def->name,
				  def->name, def->arg);
			return -EINVAL;
		}
		value = argv[1];
		took = 2;
	}
	err = parse_value("--", def, opt, value, false);
	return err ? err : took;
}

/**
 * options_parse() - read the command line of `kvhost run`
 * @opt:  filled in; free with options_free() whatever is returned
 * @argc: arguments after "run"
 * @argv: the arguments; must outlive @opt
 *
 * Return: 0; 1 when help was asked for and printed; -EINVAL or -ENOMEM after
 * one line on stderr.
 */
int options_parse(struct options *opt, int argc, char **argv)
{
	int took;

	memset(opt, 0, sizeof(*opt));
	took = set_defaults("--", option_table, opt);
	if (took)
		return took;
	for (int i = 0; i < argc; i += took) {
		took = parse_argument(opt, argc - i, argv + i);
		if (took <= 0)
			return took ? took : 1;
	}
	if (opt->memory % MIB) {
		log_error("--memory: '%llu' bytes is not a whole number of MiB",
			  (unsigned long long)opt->memory);
		return -EINVAL;
	}
	if (!opt->kernel) {
		log_error("no kernel to boot; add --kernel FILE, such as /boot/vmlinuz-*");
		return -EINVAL;
	}
	return 0;
}

/**
 * options_free() - free what options_parse() allocated
 * @opt: from options_parse()
 */
void options_free(struct options *opt)
{
	for (unsigned int i = 0; i < opt->nr_disks; i++)
		free(opt->disk_text[i]);
	opt->nr_disks = 0;
}

static void help_table(FILE *out, const struct option_def *table, const char *dashes,
		       const char *between)
{
	char head[64];

	for (; table->name; table++) {
		snprintf(head, sizeof(head), "%s%s%s%s", dashes, table->name,
			 table->arg ? between : "", table->arg ? table->arg : "");
		fprintf(out, "  %-32s %s", head, table->help);
		if (table->def && *table->def)
			fprintf(out, " [%s]", table->def);
		fputc('\n', out);
	}
}

/**
 * options_help() - print what `kvhost run` understands
 * @out: stream
 */
void options_help(FILE *out)
{
	fputs("Usage: kvhost run --kernel FILE [OPTION]...\n\nOptions (defaults in brackets):\n",
	      out);
	help_table(out, option_table, "--", " ");
	fputs("\nKeys of --disk, separated by commas (a comma inside a value is written twice):\n",
	      out);
	help_table(out, disk_table, "", "=");
}
