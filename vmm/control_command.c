// SPDX-License-Identifier: GPL-2.0
/*
 * control_command.c - the commands of the control socket, as one table.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "control.h"
#include "util.h"
#include "vm.h"

static void do_status(struct vm *vm, FILE *out)
{
	vm_status(vm, out);
}

static void do_stats(struct vm *vm, FILE *out)
{
	vm_stats(vm, out);
}

static void do_reset(struct vm *vm, FILE *out)
{
	vm_request_reset(vm);
}

static void do_powerdown(struct vm *vm, FILE *out)
{
	vm_power_button(vm);
}

static void do_quit(struct vm *vm, FILE *out)
{
	vm_request_exit(vm, VM_EXIT_QUIT);
}

/*
 * Without @run the command is one of the device that is named behind it. Those that are
 * @urgent ask for nothing that could wait, and are carried out by the main thread.
 */
static const struct command {
	const char *name;
	const char *args;
	void (*run)(struct vm *vm, FILE *out);
	bool urgent;
	const char *help;
} commands[] = {
	{ "status", "", do_status, false, "print the state of the VM and its devices" },
	{ "stats", "", do_stats, false, "print the counters of its devices, as debugfs does" },
	{ "reset", "", do_reset, true, "reset the machine, as its reset button would" },
	{ "powerdown", "", do_powerdown, false,
	  "press the power button; the guest may take its time" },
	{ "quit", "", do_quit, true, "end the VM now, as if its power were cut" },
	{ "limit", " DISK [KEY=VALUE,...]", NULL, false,
	  "limit a disk by iops, iops_burst, bps, bps_burst; none lifts all" },
	{ "link", " NET up|down", NULL, false, "tell the guest that the link is up or down" },
	{ "announce", " NET", NULL, false, "have the guest tell its neighbours where it is" },
	{ "resize", " DISK", NULL, false, "look again how large a disk is, and tell the guest" },
	{ "resume", " DISK [retry|report]", NULL, false,
	  "go on after an error of the disk: ask it again, or tell the guest" },
};

static void run_command(struct vm *vm, const struct command *c, char *args, FILE *out)
{
	char *device = args;

	if (!c->run == !*args) {
		fprintf(out, "error: write `%s%s`\n", c->name, c->args);
		return;
	}
	if (c->run) {
		c->run(vm, out);
	} else {
		args += strcspn(args, " ");
		if (*args)
			*args++ = 0;
		if (vm_command(vm, c->name, device, args, out))
			return;
	}
	fputs("ok\n", out);
}

static const struct command *find(const char *line)
{
	size_t len = strcspn(line, " ");

	for (unsigned int i = 0; i < ARRAY_SIZE(commands); i++) {
		if (strlen(commands[i].name) == len && !strncmp(commands[i].name, line, len))
			return &commands[i];
	}
	return NULL;
}

static void run_line(struct vm *vm, char *line, FILE *out)
{
	const struct command *c = find(line);
	size_t len = strcspn(line, " ");

	if (c) {
		run_command(vm, c, line + len + !!line[len], out);
		return;
	}
	fprintf(out, "error: '%.*s' is not one of", (int)len, line);
	for (unsigned int i = 0; i < ARRAY_SIZE(commands); i++)
		fprintf(out, " %s", commands[i].name);
	fputc('\n', out);
}

/**
 * control_help() - print the commands
 * @out: stream
 */
void control_help(FILE *out)
{
	char head[64];

	for (unsigned int i = 0; i < ARRAY_SIZE(commands); i++) {
		snprintf(head, sizeof(head), "%s%s", commands[i].name, commands[i].args);
		fprintf(out, "  %-26s %s\n", head, commands[i].help);
	}
}

/**
 * control_is_urgent() - can a command be carried out at once?
 * @line: the command, without its newline
 *
 * Return: true if it does not touch devices, or is none.
 */
bool control_is_urgent(const char *line)
{
	const struct command *c = find(line);

	return !c || c->urgent || !c->run == !line[strlen(c->name)];
}

/**
 * control_run() - carry out a command
 * @vm:   the VM
 * @line: the command, without its newline; is cut up
 * @len:  filled in: length of the answer, bytes
 *
 * Context: device thread, or any for one that control_is_urgent().
 * Return: the answer, to be freed; NULL if there is no memory for it.
 */
char *control_run(struct vm *vm, char *line, size_t *len)
{
	char *text = NULL;
	FILE *out = open_memstream(&text, len);

	if (!out)
		return NULL;
	run_line(vm, line, out);
	if (!fclose(out))
		return text;
	free(text);
	return NULL;
}
