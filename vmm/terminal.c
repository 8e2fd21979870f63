// SPDX-License-Identifier: GPL-2.0
/*
 * terminal.c - raw mode, and a promise to leave it.
 *
 * Whatever ends this process short of SIGKILL restores the terminal: the
 * normal way out calls terminal_restore(), and so do handlers for the signals
 * that mean a bug. They use nothing that is not async-signal-safe.
 */
#include <signal.h>
#include <stdatomic.h>
#include <termios.h>
#include <unistd.h>

#include "terminal.h"
#include "util.h"

static struct termios saved;
static atomic_bool raw;

static void on_fatal(int sig)
{
	terminal_restore();
	/* SA_RESETHAND brought the default action back. */
	raise(sig);
}

/**
 * terminal_restore() - leave raw mode
 *
 * Context: any thread, signal handlers too.
 */
void terminal_restore(void)
{
	if (!atomic_exchange(&raw, false))
		return;
	tcsetattr(STDIN_FILENO, TCSANOW, &saved);
}

/**
 * terminal_raw() - enter raw mode
 *
 * Keys reach the guest one by one, Ctrl-C included; output is still processed,
 * so that our own messages begin at the left.
 *
 * Return: false when standard input is not a terminal, or another job has it.
 */
bool terminal_raw(void)
{
	static const int fatal[] = { SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGABRT, SIGQUIT };
	struct sigaction sa = { .sa_handler = on_fatal, .sa_flags = (int)SA_RESETHAND };
	struct termios t;

	if (!isatty(STDIN_FILENO) || tcgetpgrp(STDIN_FILENO) != getpgrp() ||
	    tcgetattr(STDIN_FILENO, &saved) < 0)
		return false;
	t = saved;
	cfmakeraw(&t);
	t.c_oflag = saved.c_oflag;
	for (unsigned int i = 0; i < ARRAY_SIZE(fatal); i++)
		sigaction(fatal[i], &sa, NULL);
	atomic_store(&raw, true);
	tcsetattr(STDIN_FILENO, TCSANOW, &t);
	return true;
}
