// SPDX-License-Identifier: GPL-2.0
/*
 * vm_wait.c - what a VM waits for, told to those that wait for the VM.
 *
 * A device says so before it waits for its disk or interface. There is one such
 * wait at a time, because devices work under vm_lock(). Readers do not take it.
 */
#include <pthread.h>
#include <stdio.h>
#include <string.h>

#include "util.h"
#include "vm.h"
#include "vm_priv.h"

/**
 * vm_wait_begin() - a device is about to wait for the host
 * @vm:   the VM
 * @name: of the device
 * @path: what it waits for
 *
 * Context: vm_lock() held.
 */
void vm_wait_begin(struct vm *vm, const char *name, const char *path)
{
	pthread_mutex_lock(&vm->wait_lock);
	vm->wait_since = now_ns();
	snprintf(vm->wait_for, sizeof(vm->wait_for), "%s ('%s')", name, path);
	pthread_mutex_unlock(&vm->wait_lock);
}

/**
 * vm_wait_end() - the wait is over
 * @vm: the VM
 *
 * Context: vm_lock() held.
 */
void vm_wait_end(struct vm *vm)
{
	pthread_mutex_lock(&vm->wait_lock);
	vm->wait_since = 0;
	pthread_mutex_unlock(&vm->wait_lock);
}

/**
 * vm_wait_text() - say what a VM waits for
 * @vm:   the VM
 * @text: filled in: words that follow "waits for"
 * @len:  bytes, VM_WAIT_BYTES for all
 *
 * Context: any thread, vm_lock() held or not.
 */
void vm_wait_text(struct vm *vm, char *text, size_t len)
{
	unsigned long long seconds;

	pthread_mutex_lock(&vm->wait_lock);
	seconds = (now_ns() - vm->wait_since) / NSEC_PER_SEC;
	if (vm->wait_since)
		snprintf(text, len, "%s since %llu s", vm->wait_for, seconds);
	else
		snprintf(text, len, "a device or KVM");
	pthread_mutex_unlock(&vm->wait_lock);
}
