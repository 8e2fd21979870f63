/* SPDX-License-Identifier: GPL-2.0 */
/*
 * control.h - the control socket and its client.
 */
#ifndef KVHOST_CONTROL_H
#define KVHOST_CONTROL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

struct control;
struct sockaddr_un;
struct vm;

/* Longest command, its newline and a zero included. */
#define CONTROL_LINE_BYTES	128

int control_create(struct control **control, struct vm *vm, const char *path);
void control_destroy(struct control *control);

/* 0, or -ENAMETOOLONG after one line on stderr. */
int control_address(struct sockaddr_un *sa, const char *path);

/* control_command.c */
bool control_is_urgent(const char *line);
char *control_run(struct vm *vm, char *line, size_t *len);
void control_help(FILE *out);

/* control_client.c */
int control_ask(const char *path, const char *command,
		int (*line_fn)(void *opaque, char *line), void *opaque);

/* `kvhost ctl PATH COMMAND`; returns the exit status. */
int control_client(int argc, char **argv);

#endif
