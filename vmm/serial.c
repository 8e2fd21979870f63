// SPDX-License-Identifier: GPL-2.0
/*
 * serial.c - the first serial port, a 16550A.
 *
 * Every character costs the guest an exit, so the handler does little: output
 * is put into a buffer that the main thread writes out a few milliseconds
 * later, in one piece, and the interrupt line is touched only when its level
 * changes. When the reader of our output is slow the transmitter stays busy and
 * the guest waits; nothing is lost and no thread blocks. Input is taken from
 * the file descriptor only as fast as the guest reads it.
 *
 * All state is protected by vm_lock(); loop callbacks take it.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/serial_reg.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/stat.h>
#include <unistd.h>

#include "bus.h"
#include "irq.h"
#include "loop.h"
#include "options.h"
#include "serial.h"
#include "terminal.h"
#include "util.h"
#include "vm.h"

#define PORT		0x3f8
#define PORTS		8

#define OUT_BYTES	65536
/* A driver that saw an empty transmitter may write a whole FIFO. */
#define OUT_FULL	(OUT_BYTES - 64)
/* Bytes in one write(). */
#define OUT_CHUNK	4096
/* Chunks in one turn of the event loop. */
#define OUT_TURNS	16
#define OUT_DELAY	(2 * NSEC_PER_MSEC)
#define FINISH_LIMIT	(2 * NSEC_PER_SEC)

#define IN_BYTES	64

#define ESCAPE		1	/* Ctrl-A */

struct serial {
	struct vm *vm;
	uint8_t ier, lcr, mcr, fcr, scr, dll, dlm;
	bool thre_pending;	/* transmitter interrupt not acknowledged yet */
	bool overrun;
	bool line;		/* level of the interrupt */

	uint8_t in[IN_BYTES];
	unsigned int in_head, in_len;
	int in_fd;		/* -1: no input */
	bool in_watched;
	bool terminal;
	bool escaped;

	uint8_t out[OUT_BYTES];
	unsigned int out_len;
	int out_fd;		/* -1: discard */
	bool out_owned;
	bool out_waits;		/* write() may wait for room */
	bool out_stuck;		/* it polls writable but takes nothing */
	bool out_scheduled;
	bool out_watched;
	struct loop_work out_work;
	struct loop_timer out_timer;
};

static uint8_t pending(const struct serial *s)
{
	if (s->ier & UART_IER_RLSI && s->overrun)
		return UART_IIR_RLSI;
	if (s->ier & UART_IER_RDI && s->in_len)
		return UART_IIR_RDI;
	if (s->ier & UART_IER_THRI && s->thre_pending)
		return UART_IIR_THRI;
	return UART_IIR_NO_INT;
}

static void update_line(struct serial *s)
{
	bool level = pending(s) != UART_IIR_NO_INT;

	if (level != s->line)
		irq_line(vm_irq(s->vm), IRQ_SERIAL, level);
	s->line = level;
}

/* --- input ----------------------------------------------------------- */

static void in_put(struct serial *s, uint8_t c)
{
	if (s->in_len == IN_BYTES) {
		s->overrun = true;
		return;
	}
	s->in[(s->in_head + s->in_len++) % IN_BYTES] = c;
}

static void in_ready(void *opaque, int fd, uint32_t events);

static void in_watch(struct serial *s, bool on)
{
	if (s->in_fd < 0 || on == s->in_watched)
		return;
	s->in_watched = on;
	/* Off means off: a hung-up fd reports that whatever it is asked to report. */
	if (on)
		loop_add(vm_loop(s->vm), s->in_fd, EPOLLIN, in_ready, s);
	else
		loop_del(vm_loop(s->vm), s->in_fd);
}

static uint8_t in_get(struct serial *s)
{
	uint8_t c = 0;

	if (s->in_len) {
		c = s->in[s->in_head];
		s->in_head = (s->in_head + 1) % IN_BYTES;
		s->in_len--;
	}
	if (!s->in_len)
		in_watch(s, true);
	return c;
}

/* Keys on a terminal: Ctrl-A x quits, Ctrl-A twice is one Ctrl-A. */
static void in_key(struct serial *s, uint8_t c)
{
	if (!s->terminal) {
		in_put(s, c);
	} else if (!s->escaped && c == ESCAPE) {
		s->escaped = true;
	} else if (s->escaped && c == 'x') {
		s->escaped = false;
		vm_request_exit(s->vm, VM_EXIT_QUIT);
	} else {
		if (s->escaped && c != ESCAPE)
			in_put(s, ESCAPE);
		s->escaped = false;
		in_put(s, c);
	}
}

static void in_ready(void *opaque, int fd, uint32_t events)
{
	struct serial *s = opaque;
	/* Half the buffer: an escape that turns out to be none yields two. */
	uint8_t buf[IN_BYTES / 2];
	unsigned int room;
	ssize_t n;

	vm_lock(s->vm);
	room = (IN_BYTES - s->in_len) / 2;
	n = room ? read(fd, buf, room) : -1;
	if (room && (n == 0 || (n < 0 && errno != EAGAIN && errno != EINTR))) {
		in_watch(s, false);
		s->in_fd = -1;
	}
	for (ssize_t i = 0; i < n; i++)
		in_key(s, buf[i]);
	if (IN_BYTES - s->in_len < 2)
		in_watch(s, false);
	update_line(s);
	vm_unlock(s->vm);
}

/* --- output ---------------------------------------------------------- */

static bool out_writable(const struct serial *s)
{
	struct pollfd p = { .fd = s->out_fd, .events = POLLOUT };

	return poll(&p, 1, 0) == 1;
}

/*
 * Write what fits without waiting. POLLOUT promises room for one byte only, so
 * a descriptor that would wait for more gets one at a time.
 */
static ssize_t out_write(const struct serial *s, const uint8_t *chunk, unsigned int len)
{
	if (!s->out_waits)
		return write(s->out_fd, chunk, len);
	if (!out_writable(s)) {
		errno = EAGAIN;
		return -1;
	}
	return write(s->out_fd, chunk, 1);
}

/* Forget @n bytes at the front; a guest that waited for room hears of it. */
static void out_consume(struct serial *s, unsigned int n)
{
	bool was_full = s->out_len >= OUT_FULL;

	s->out_len -= n;
	memmove(s->out, s->out + n, s->out_len);
	if (was_full && s->out_len < OUT_FULL) {
		s->thre_pending = true;
		update_line(s);
	}
}

/*
 * Write what can be written without waiting, vm_lock() not held meanwhile: the
 * front of the buffer is the main thread's alone. False when some is left.
 */
static bool out_drain(struct serial *s)
{
	uint8_t chunk[OUT_CHUNK];
	unsigned int len;
	ssize_t n;

	for (int turn = 0; turn < OUT_TURNS; turn++) {
		vm_lock(s->vm);
		len = s->out_len < OUT_CHUNK ? s->out_len : OUT_CHUNK;
		memcpy(chunk, s->out, len);
		s->out_scheduled = len;
		vm_unlock(s->vm);
		s->out_stuck = false;
		if (!len)
			return true;
		n = out_write(s, chunk, len);
		if (n < 0 && (errno == EAGAIN || errno == EINTR)) {
			s->out_stuck = out_writable(s);
			return false;
		}
		if (n < 0)
			log_warn("serial output: %m; the rest is dropped");
		vm_lock(s->vm);
		if (n < 0)
			s->out_fd = -1;
		out_consume(s, n < 0 ? s->out_len : (unsigned int)n);
		vm_unlock(s->vm);
	}
	return false;
}

static void out_flush(void *opaque)
{
	struct serial *s = opaque;
	struct loop *loop = vm_loop(s->vm);
	int fd = s->out_fd;
	bool empty = out_drain(s);

	if (s->out_watched && s->out_fd < 0) {
		loop_del(loop, fd);
		s->out_watched = false;
	} else if (s->out_watched) {
		loop_mod(loop, fd, empty || s->out_stuck ? 0 : EPOLLOUT);
	}
	/* What cannot be watched is asked again, and so is a terminal without room for "\r\n". */
	if (!empty && s->out_fd >= 0 && (!s->out_watched || s->out_stuck))
		loop_timer_arm(loop, &s->out_timer, OUT_DELAY);
}

static void out_ready(void *opaque, int fd, uint32_t events)
{
	struct serial *s = opaque;

	/* The reader is gone. The next write will say so; until then this would not stop. */
	if (events & (EPOLLERR | EPOLLHUP)) {
		loop_del(vm_loop(s->vm), fd);
		s->out_watched = false;
	}
	out_flush(s);
}

/* The first character of a burst: let the rest of it come before writing. */
static void out_begin(void *opaque)
{
	struct serial *s = opaque;

	loop_timer_arm(vm_loop(s->vm), &s->out_timer, OUT_DELAY);
}

static void out_put(struct serial *s, uint8_t c)
{
	if (s->out_fd < 0 || s->out_len == OUT_BYTES)
		return;
	s->out[s->out_len++] = c;
	if (!s->out_scheduled) {
		s->out_scheduled = true;
		loop_post(vm_loop(s->vm), &s->out_work);
	}
}

/* --- registers ------------------------------------------------------- */

static uint8_t read_lsr(struct serial *s)
{
	uint8_t lsr = 0;

	if (s->out_len < OUT_FULL)
		lsr |= UART_LSR_THRE | UART_LSR_TEMT;
	if (s->in_len)
		lsr |= UART_LSR_DR;
	if (s->overrun)
		lsr |= UART_LSR_OE;
	s->overrun = false;
	return lsr;
}

static uint8_t read_msr(const struct serial *s)
{
	uint8_t msr = 0;

	if (!(s->mcr & UART_MCR_LOOP))
		return UART_MSR_DCD | UART_MSR_DSR | UART_MSR_CTS;
	if (s->mcr & UART_MCR_RTS)
		msr |= UART_MSR_CTS;
	if (s->mcr & UART_MCR_DTR)
		msr |= UART_MSR_DSR;
	if (s->mcr & UART_MCR_OUT1)
		msr |= UART_MSR_RI;
	if (s->mcr & UART_MCR_OUT2)
		msr |= UART_MSR_DCD;
	return msr;
}

static uint8_t read_iir(struct serial *s)
{
	uint8_t iir = pending(s);

	if (iir == UART_IIR_THRI)
		s->thre_pending = false;
	return iir | (s->fcr & UART_FCR_ENABLE_FIFO ? 0xc0 : 0);
}

static uint32_t serial_read(void *opaque, unsigned int off, unsigned int len)
{
	struct serial *s = opaque;
	bool dlab = s->lcr & UART_LCR_DLAB;
	uint8_t val = 0;

	switch (off) {
	case UART_RX:
		val = dlab ? s->dll : in_get(s);
		break;
	case UART_IER:
		val = dlab ? s->dlm : s->ier;
		break;
	case UART_IIR:
		val = read_iir(s);
		break;
	case UART_LCR:
		val = s->lcr;
		break;
	case UART_MCR:
		val = s->mcr;
		break;
	case UART_LSR:
		val = read_lsr(s);
		break;
	case UART_MSR:
		val = read_msr(s);
		break;
	case UART_SCR:
		val = s->scr;
		break;
	}
	update_line(s);
	return val;
}

static void write_thr(struct serial *s, uint8_t c)
{
	if (s->mcr & UART_MCR_LOOP)
		in_put(s, c);
	else
		out_put(s, c);
	/* Sent at once, unless the buffer is full: then out_flush() says so later. */
	s->thre_pending = s->out_len < OUT_FULL;
}

static void write_ier(struct serial *s, uint8_t val)
{
	if (!(s->ier & UART_IER_THRI) && val & UART_IER_THRI)
		s->thre_pending = s->out_len < OUT_FULL;
	s->ier = val & 0x0f;
}

static void serial_write(void *opaque, unsigned int off, unsigned int len, uint32_t val)
{
	struct serial *s = opaque;
	bool dlab = s->lcr & UART_LCR_DLAB;
	uint8_t c = (uint8_t)val;

	switch (off) {
	case UART_TX:
		if (dlab)
			s->dll = c;
		else
			write_thr(s, c);
		break;
	case UART_IER:
		if (dlab)
			s->dlm = c;
		else
			write_ier(s, c);
		break;
	case UART_FCR:
		if (c & UART_FCR_CLEAR_RCVR)
			s->in_len = 0;
		s->fcr = c;
		if (!s->in_len)
			in_watch(s, true);
		break;
	case UART_LCR:
		s->lcr = c;
		break;
	case UART_MCR:
		s->mcr = c & 0x1f;
		break;
	case UART_SCR:
		s->scr = c;
		break;
	}
	update_line(s);
}

/* --- life ------------------------------------------------------------ */

/* A regular file never waits, but a terminal that cannot be opened anew does. */
static void open_stdout(struct serial *s)
{
	struct stat st;
	int fd = reopen_nonblocking(STDOUT_FILENO);

	s->out_fd = fd < 0 ? STDOUT_FILENO : fd;
	s->out_owned = fd >= 0;
	s->out_waits = fd < 0 && !(!fstat(STDOUT_FILENO, &st) && S_ISREG(st.st_mode));
}

static int open_output(struct serial *s, const struct options *opt)
{
	int err;

	if (opt->serial == SERIAL_STDIO)
		open_stdout(s);
	if (opt->serial != SERIAL_FILE)
		return 0;
	s->out_fd = open(opt->serial_path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOCTTY |
			 O_NONBLOCK, 0644);
	if (s->out_fd < 0) {
		err = -errno;
		if (err == -ENXIO)
			log_error("--serial: nobody reads the pipe '%s'; start its reader first",
				  opt->serial_path);
		else
			log_error("--serial: cannot write '%s': %m", opt->serial_path);
		return err;
	}
	s->out_owned = true;
	return 0;
}

/**
 * serial_create() - add the serial port to a VM
 * @serial: set on success
 * @vm:     with a port space, a loop and interrupt controllers
 *
 * Return: 0, -ENOMEM, -ENOSPC, or the errno of open() after a line on stderr.
 */
int serial_create(struct serial **serial, struct vm *vm)
{
	struct serial *s = calloc(1, sizeof(*s));
	int err;

	if (!s)
		return -ENOMEM;
	s->vm = vm;
	s->in_fd = -1;
	s->out_fd = -1;
	s->out_work = (struct loop_work){ .fn = out_begin, .opaque = s };
	s->out_timer = (struct loop_timer){ .fn = out_flush, .opaque = s };
	err = open_output(s, vm_options(vm));
	if (!err)
		err = bus_add(vm_bus(vm), PORT, PORTS, serial_read, serial_write, s);
	if (err) {
		serial_destroy(s);
		return err;
	}
	/* A regular file cannot be watched, and need not be. */
	if (s->out_fd >= 0)
		s->out_watched = !loop_add(vm_loop(vm), s->out_fd, 0, out_ready, s);
	*serial = s;
	return 0;
}

/**
 * serial_start() - take input from now on
 * @serial: the port
 */
void serial_start(struct serial *serial)
{
	if (vm_options(serial->vm)->serial != SERIAL_STDIO)
		return;
	serial->terminal = terminal_raw();
	/* A terminal that another job owns would stop us at the first read. */
	if (isatty(STDIN_FILENO) && !serial->terminal)
		return;
	if (!loop_add(vm_loop(serial->vm), STDIN_FILENO, EPOLLIN, in_ready, serial)) {
		serial->in_fd = STDIN_FILENO;
		serial->in_watched = true;
	}
}

/**
 * serial_reset() - machine reset
 * @serial: the port; output that is still buffered will be written
 *
 * Context: vm_lock() held.
 */
void serial_reset(struct serial *serial)
{
	serial->ier = 0;
	serial->lcr = 0;
	serial->mcr = 0;
	serial->fcr = 0;
	serial->scr = 0;
	serial->dll = 0;
	serial->dlm = 0;
	serial->thre_pending = false;
	serial->overrun = false;
	serial->in_len = 0;
	in_watch(serial, true);
	update_line(serial);
}

/**
 * serial_finish() - write out what is left and give the terminal back
 * @serial: the port, or NULL
 *
 * Context: main thread, vCPUs have stopped.
 */
void serial_finish(struct serial *serial)
{
	uint64_t end = now_ns() + FINISH_LIMIT;

	if (serial && serial->out_fd >= 0) {
		while (!out_drain(serial) && serial->out_fd >= 0 && now_ns() < end) {
			struct pollfd p = { .fd = serial->out_fd, .events = POLLOUT };

			poll(&p, !serial->out_stuck, serial->out_stuck ? 2 : 100);
		}
	}
	terminal_restore();
}

/**
 * serial_destroy() - free the port
 * @serial: or NULL
 */
void serial_destroy(struct serial *serial)
{
	if (!serial)
		return;
	if (serial->out_owned && serial->out_fd >= 0)
		close(serial->out_fd);
	free(serial);
}
