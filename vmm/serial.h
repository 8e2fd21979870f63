/* SPDX-License-Identifier: GPL-2.0 */
/*
 * serial.h - the first serial port, a 16550A.
 */
#ifndef KVHOST_SERIAL_H
#define KVHOST_SERIAL_H

struct serial;
struct vm;

int serial_create(struct serial **serial, struct vm *vm);
/* Take input from now on; puts a terminal into raw mode. */
void serial_start(struct serial *serial);
void serial_reset(struct serial *serial);
/* Write out what is left, for a bounded time. */
void serial_finish(struct serial *serial);
void serial_destroy(struct serial *serial);

#endif
