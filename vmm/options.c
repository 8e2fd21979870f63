// SPDX-License-Identifier: GPL-2.0
/*
 * options.c - the command line of `kvhost run`.
 *
 * Tables, one of options, one of --disk keys and one of --net keys, say all there
 * is to say about each: its name, its kind, its limits, its default and its help
 * line. The parser, the defaults, the help text and the proposals for misspelt
 * names all read them: options_value.c. The keys of --net are in options_net.c.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "options.h"
#include "options_value.h"
#include "util.h"

/* The largest burst the backends count. */
#define OPTIONS_BURST_MAX	(4 * GIB)

static const char *const backends[] = { "kernel", "user", NULL };
static const char *const caches[] = { "writeback", "writethrough", NULL };

static const char *const errors[] = { "report", "stop", NULL };

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
	  .help = "add a virtio disk; may be given 24 times" },
	{ .name = "net", .arg = "KEY=VALUE,...", .kind = KIND_NET,
	  .help = "add a virtio network device; may be given 8 times" },
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
	{ .name = "share", .arg = "on|off", .kind = KIND_BOOL, .off = DISK(share), .def = "off",
	  .help = "let others write to it at the same time, as a cluster file system does" },
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
	{ .name = "poll_queues", .kind = KIND_REMOVED,
	  .help = "polled I/O could not be made safe with merged and split requests" },
	{ .name = "error", .arg = "report|stop", .kind = KIND_CHOICE, .off = DISK(error),
	  .def = "report", .choices = errors,
	  .help = "stop: at an error of the disk hold the queue until `kvhost ctl` resumes it" },
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

static const struct option_keys disk_keys = { "--disk ", disk_table, "path" };

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
static int parse_net(struct options *opt, const char *value);

/* Store @value; @where is what the user typed before the name. */
static int parse_option(const char *where, const struct option_def *def, struct options *opt,
			const char *value)
{
	switch (def->kind) {
	case KIND_SERIAL:
		return parse_serial(opt, value);
	case KIND_DISK:
		return parse_disk(opt, value);
	case KIND_NET:
		return parse_net(opt, value);
	default:
		return option_value(where, def, opt, value, false);
	}
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
	err = option_defaults("--disk ", disk_table, disk);
	for (rest = copy; !err && rest;)
		err = option_key(&disk_keys, disk, option_next_item(&rest), &seen);
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

static int parse_net(struct options *opt, const char *value)
{
	char *copy;

	if (opt->nr_nets == OPTIONS_NETS_MAX) {
		log_error("--net: '%s' is one more than the %d network devices a VM can have",
			  value, OPTIONS_NETS_MAX);
		return -EINVAL;
	}
	copy = strdup(value);
	if (!copy)
		return -ENOMEM;
	opt->net_text[opt->nr_nets] = copy;
	return options_parse_net(&opt->nets[opt->nr_nets++], copy);
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
		item = option_next_item(&rest);
		def = option_find(disk_table, item, strcspn(item, "="));
		if (def && (def->off < DISK(limits) ||
			    def->off >= DISK(limits) + sizeof(*limits))) {
			log_error("--disk: '%s' cannot be changed while the VM runs", def->name);
			return -EINVAL;
		}
		err = option_key(&disk_keys, &disk, item, &seen);
	}
	if (!err)
		err = check_limits(&disk.limits);
	*limits = disk.limits;
	return err;
}

/* One argument, with its value from behind '=' or from the next one; returns how many it took. */
static int parse_argument(struct options *opt, int argc, char **argv, unsigned int *seen)
{
	const struct option_def *def;
	const char *name = argv[0] + 2, *eq, *value, *hint;
	char word[64];
	int took = 1, err;

	if (!strcmp(argv[0], "-h")) {
		options_help(stdout);
		return 0;
	}
	if (strncmp(argv[0], "--", 2) || !*name) {
		log_error("'%s' is not an option; options begin with -- (see `kvhost run --help`)",
			  argv[0]);
		return -EINVAL;
	}
	eq = strchr(name, '=');
	snprintf(word, sizeof(word), "%.*s", eq ? (int)(eq - name) : (int)strlen(name), name);
	def = option_find(option_table, word, strlen(word));
	if (!def) {
		hint = option_suggest(option_table, word);
		log_error("unknown option '--%s'%s%s%s; `kvhost run --help` lists them", word,
			  hint ? "; did you mean '--" : "", hint ? hint : "", hint ? "'?" : "");
		return -EINVAL;
	}
	if (def->kind == KIND_HELP) {
		options_help(stdout);
		return 0;
	}
	if (def->kind != KIND_DISK && def->kind != KIND_NET &&
	    *seen & 1U << (def - option_table)) {
		log_error("--%s: given twice; leave one out", def->name);
		return -EINVAL;
	}
	*seen |= 1U << (def - option_table);
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
	err = parse_option("--", def, opt, value);
	return err ? err : took;
}

/* A disk without queues= has one per vCPU, so all options have to be known. */
static int check_workers(const struct options *opt)
{
	for (unsigned int i = 0; i < opt->nr_disks; i++) {
		const struct disk_options *disk = &opt->disks[i];
		unsigned int queues = disk->queues ? disk->queues : opt->cpus;

		if (disk->workers <= queues)
			continue;
		log_error("--disk: workers=%u exceeds queues=%u; lower that or raise this",
			  disk->workers, queues);
		return -EINVAL;
	}
	return 0;
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
	unsigned int seen = 0;
	int took;

	memset(opt, 0, sizeof(*opt));
	took = option_defaults("--", option_table, opt);
	if (took)
		return took;
	for (int i = 0; i < argc; i += took) {
		took = parse_argument(opt, argc - i, argv + i, &seen);
		if (took <= 0)
			return took ? took : 1;
	}
	if (opt->memory % MIB) {
		log_error("--memory: '%llu' bytes is not a whole number of MiB",
			  (unsigned long long)opt->memory);
		return -EINVAL;
	}
	if (opt->nr_disks + opt->nr_nets > OPTIONS_DEVICES_MAX) {
		log_error("--disk, --net: '%u' devices are more than the %d slots of the PCI bus",
			  opt->nr_disks + opt->nr_nets, OPTIONS_DEVICES_MAX);
		return -EINVAL;
	}
	if (!opt->kernel) {
		log_error("no kernel to boot; add --kernel FILE, such as /boot/vmlinuz-*");
		return -EINVAL;
	}
	return check_workers(opt);
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
	for (unsigned int i = 0; i < opt->nr_nets; i++)
		free(opt->net_text[i]);
	opt->nr_nets = 0;
}

/**
 * options_help() - print what `kvhost run` understands
 * @out: stream
 */
void options_help(FILE *out)
{
	_Static_assert(OPTIONS_DISKS_MAX == 24 && OPTIONS_NETS_MAX == 8, "as the help says");
	fputs("Usage: kvhost run --kernel FILE [OPTION]...\n\n"
	      "Example:\n"
	      "  kvhost run --kernel /boot/vmlinuz --append root=/dev/vda --cpus 2 --memory 2G \\\n"
	      "      --disk path=disk.img --net tap=tap0\n\n"
	      "Options (defaults in brackets):\n", out);
	option_help(out, option_table, "--", " ");
	fputs("\nKeys of --disk, separated by commas (a comma inside a value is written twice):\n",
	      out);
	option_help(out, disk_table, "", "=");
	options_help_net(out);
}
