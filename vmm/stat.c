// SPDX-License-Identifier: GPL-2.0
/*
 * stat.c - the command `kvhost stat`: what to read, how often, how to show it.
 *
 * Runs in a process of its own that touches no VM: it reads text, from debugfs
 * or from a VM's control socket, and prints it as a table or as JSON.
 */
#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "stat.h"
#include "util.h"
#include "vm.h"

#define INTERVAL_MIN	0.1
#define INTERVAL_MAX	86400.0

/**
 * struct stat_options - the command line
 * @what:     "all", a process, or the path of a control socket
 * @interval: seconds between reports; 0: one report of all that was counted
 * @count:    reports to print; 0: until interrupted
 * @json:     print JSON
 */
struct stat_options {
	const char *what;
	double interval;
	unsigned long count;
	bool json;
};

static const struct option long_options[] = {
	{ "interval", required_argument, NULL, 'i' },
	{ "count", required_argument, NULL, 'c' },
	{ "json", no_argument, NULL, 'j' },
	{ "help", no_argument, NULL, 'h' },
	{ },
};

static void usage(FILE *out)
{
	fputs("Usage: kvhost stat [OPTION]... [all|PID|SOCKET]\n"
	      "\n"
	      "Reads the counters of all devices (needs root), of those of a process, or of\n"
	      "the VM behind a control socket.\n"
	      "\n"
	      "Options:\n"
	      "  --interval S  a report every S seconds, of what happened in between;\n"
	      "                without it one report of all that was counted\n"
	      "  --count N     end after N reports (default: when interrupted)\n"
	      "  --json        one JSON object a line, with every counter as it stands\n"
	      "  --help        show this text\n", out);
}

static int parse_interval(struct stat_options *opt, const char *value)
{
	char *end;

	opt->interval = strtod(value, &end);
	/* Written so that NaN fails. */
	if (*end || end == value ||
	    !(opt->interval >= INTERVAL_MIN && opt->interval <= INTERVAL_MAX)) {
		log_error("stat --interval: '%s' is not a number of seconds from %g to %g", value,
			  INTERVAL_MIN, INTERVAL_MAX);
		return -EINVAL;
	}
	return 0;
}

static int parse_count(struct stat_options *opt, const char *value)
{
	char *end;

	errno = 0;
	opt->count = strtoul(value, &end, 10);
	if (errno || *end || *value < '0' || *value > '9' || !opt->count) {
		log_error("stat --count: '%s' is not a number from 1 on", value);
		return -EINVAL;
	}
	return 0;
}

/* Return: 0; 1 if help was asked for; -EINVAL after one line on stderr. */
static int parse(struct stat_options *opt, int argc, char **argv)
{
	int c, err = 0;

	*opt = (struct stat_options){ .what = "all" };
	opterr = 0;
	/* @argv begins with the command's own name, as getopt wants it. */
	while (!err && (c = getopt_long(argc, argv, ":", long_options, NULL)) != -1) {
		switch (c) {
		case 'i':
			err = parse_interval(opt, optarg);
			break;
		case 'c':
			err = parse_count(opt, optarg);
			break;
		case 'j':
			opt->json = true;
			break;
		case 'h':
			return 1;
		default:
			log_error("stat: %s '%s'; `kvhost stat --help` lists the options",
				  c == ':' ? "a value is missing after" : "there is no option",
				  argv[optind - 1]);
			err = -EINVAL;
		}
	}
	if (err)
		return err;
	if (argc - optind > 1) {
		log_error("stat: '%s' is one argument too many; one of all, PID or SOCKET is read",
			  argv[optind + 1]);
		return -EINVAL;
	}
	if (optind < argc)
		opt->what = argv[optind];
	if (opt->count > 1 && !opt->interval) {
		log_error("stat --count: %lu reports need --interval S", opt->count);
		return -EINVAL;
	}
	return 0;
}

static void sleep_until(uint64_t at)
{
	struct timespec ts = {
		.tv_sec = (time_t)(at / NSEC_PER_SEC),
		.tv_nsec = (long)(at % NSEC_PER_SEC),
	};

	while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &ts, NULL) == EINTR)
		;
}

static int show(const struct stat_options *opt, const struct stat_set *now,
		const struct stat_set *before)
{
	int err = 0;

	if (opt->json)
		err = stat_print_json(now, before);
	else
		stat_print_table(now, before);
	/* Whoever reads a pipe gets each report when it is made. */
	if (!err && fflush(stdout)) {
		err = -errno;
		log_error("stat: cannot write: %s", strerror(errno));
	}
	return err;
}

static int reports(const struct stat_options *opt)
{
	struct stat_set now, before = { };
	unsigned long left = opt->count;
	int err;

	err = stat_read(&before, opt->what);
	if (err)
		return err;
	if (!opt->interval) {
		err = show(opt, &before, NULL);
		stat_free(&before);
		return err;
	}
	do {
		sleep_until(before.at + (uint64_t)(opt->interval * NSEC_PER_SEC));
		err = stat_read(&now, opt->what);
		if (err)
			break;
		err = show(opt, &now, &before);
		stat_free(&before);
		before = now;
	} while (!err && (!opt->count || --left));
	stat_free(&before);
	return err;
}

/**
 * stat_command() - run `kvhost stat`
 * @argc: arguments, "stat" included
 * @argv: the arguments
 *
 * Return: the exit status.
 */
int stat_command(int argc, char **argv)
{
	struct stat_options opt;
	int err = parse(&opt, argc, argv);

	if (err > 0) {
		usage(stdout);
		return 0;
	}
	if (err)
		return VM_EXIT_USAGE;
	return reports(&opt) ? VM_EXIT_HOST : 0;
}
