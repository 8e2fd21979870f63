// SPDX-License-Identifier: GPL-2.0
/*
 * main.c - the command line: which of kvhost's commands to run.
 *
 * The tables of commands and of exit codes are all there is to know about
 * them; the help prints both.
 */
#include <malloc.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>

#include "control.h"
#include "options.h"
#include "sandbox.h"
#include "stat.h"
#include "util.h"
#include "vm.h"

static const struct {
	const char *code;
	const char *meaning;
} exit_table[] = {
	{ "0", "the guest powered itself off" },
	{ "1", "ended from outside: Ctrl-A x, or `kvhost ctl SOCKET quit`" },
	{ "2", "wrong use; nothing was started" },
	{ "3", "the host could not run it: a file, /dev/kvm or a device is missing or refused" },
	{ "4", "the guest crashed: kernel panic, triple fault, or an error inside KVM" },
	{ "5", "the guest rebooted and --no-reboot was given" },
	{ "6", "the sandbox refused a system call" },
	{ "128+N", "ended by signal N" },
};

/* Each queue takes two or three descriptors, so 64 queues exceed the usual 1024. */
static void raise_file_limit(void)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) || limit.rlim_cur == limit.rlim_max)
		return;
	limit.rlim_cur = limit.rlim_max;
	if (setrlimit(RLIMIT_NOFILE, &limit))
		log_warn("cannot raise the limit of open files: %m");
}

static int run(int argc, char **argv)
{
	struct options opt;
	struct vm *vm;
	int status = VM_EXIT_HOST;
	int err;

	err = options_parse(&opt, argc, argv);
	if (!err)
		err = sandbox_choose_account(&opt);
	if (err) {
		options_free(&opt);
		return err > 0 ? 0 : VM_EXIT_USAGE;
	}
	log_bounded();
	raise_file_limit();
	err = vm_create(&vm, &opt);
	if (!err) {
		err = vm_run(vm, &status);
		vm_destroy(vm);
	}
	options_free(&opt);
	return err ? VM_EXIT_HOST : status;
}

static int version(int argc, char **argv)
{
	puts("kvhost " KVHOST_VERSION);
	return 0;
}

/* getopt wants the name in front of the arguments. */
static int stat_counters(int argc, char **argv)
{
	return stat_command(argc + 1, argv - 1);
}

static int show_help(int argc, char **argv);

static const struct {
	const char *name;
	int (*run)(int argc, char **argv);
	const char *help;
} commands[] = {
	{ "run", run, "boot a guest; `kvhost run --help` lists the options" },
	{ "ctl", control_client, "talk to a running VM; `kvhost ctl --help` lists the commands" },
	{ "stat", stat_counters, "show what queues do; `kvhost stat --help` lists the options" },
	{ "version", version, "print the version" },
	{ "help", show_help, "show this text, or `help COMMAND` that of a command" },
};

static int show_help(int argc, char **argv)
{
	char asked[] = "--help", *arg = asked;

	/* "help COMMAND" is "COMMAND --help". */
	for (unsigned int i = 0; argc && i < ARRAY_SIZE(commands); i++)
		if (!strcmp(commands[i].name, argv[0]) && commands[i].run != show_help)
			return commands[i].run(1, &arg);
	if (argc && *argv[0] != '-' && strcmp(argv[0], "help")) {
		log_error("there is no command '%s'; `kvhost help` lists them", argv[0]);
		return VM_EXIT_USAGE;
	}
	puts("Usage: kvhost COMMAND [ARGUMENT]...\n\nCommands:");
	for (unsigned int i = 0; i < ARRAY_SIZE(commands); i++)
		printf("  %-8s %s\n", commands[i].name, commands[i].help);
	puts("\nExit status of `kvhost run`:");
	for (unsigned int i = 0; i < ARRAY_SIZE(exit_table); i++)
		printf("  %-8s %s\n", exit_table[i].code, exit_table[i].meaning);
	return 0;
}

int main(int argc, char **argv)
{
	const char *names[ARRAY_SIZE(commands) + 1] = { NULL };
	const char *word = argc > 1 ? argv[1] : NULL;
	char asked[] = "--help";
	const char *hint;

	/*
	 * One arena for all threads: before it gives memory of another one back,
	 * glibc reads a setting of /proc, which the sandbox does not let it open.
	 */
	mallopt(M_ARENA_MAX, 1);
	if (!word) {
		log_error("what to do is missing; `kvhost help` lists the commands");
		return VM_EXIT_USAGE;
	}
	if (!strcmp(word, "-h"))
		word = "help";
	if (!strncmp(word, "--", 2) && (!strcmp(word, "--help") || !strcmp(word, "--version")))
		word += 2;
	if (argc > 2 && !strcmp(argv[2], "-h"))
		argv[2] = asked;
	for (unsigned int i = 0; i < ARRAY_SIZE(commands); i++) {
		names[i] = commands[i].name;
		if (!strcmp(commands[i].name, word))
			return commands[i].run(argc - 2, argv + 2);
	}
	hint = options_suggest(word, names);
	log_error("unknown command '%s'%s%s%s; `kvhost help` lists them", word,
		  hint ? "; did you mean '" : "", hint ? hint : "", hint ? "'?" : "");
	return VM_EXIT_USAGE;
}
