/* SPDX-License-Identifier: GPL-2.0 */
/*
 * control.h - the control socket and its client.
 */
#ifndef KVHOST_CONTROL_H
#define KVHOST_CONTROL_H

struct control;
struct vm;

int control_create(struct control **control, struct vm *vm, const char *path);
void control_destroy(struct control *control);

int control_ask(const char *path, const char *command,
		int (*line_fn)(void *opaque, char *line), void *opaque);

/* `kvhost ctl PATH COMMAND`; returns the exit status. */
int control_client(int argc, char **argv);

#endif
