// SPDX-License-Identifier: GPL-2.0
/*
 * bulk - move bytes that both sides know, and look at every one of them.
 *
 *	bulk serve PORT
 *	bulk run PORT FIRST ADDRESS...
 *
 * "run" exchanges with a server at each ADDRESS: by TCP there, by TCP back, and
 * by UDP, as one send of many datagrams, echoed in the same way. Its own ports are
 * FIRST, FIRST + 1 and so on, so that whoever looks at packets knows them apart.
 * Exit status of "run": 0, or 1 with a line on stderr. "serve" is killed.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/udp.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include "lib/base.h"

#ifndef UDP_SEGMENT
#define UDP_SEGMENT	103
#endif

/* Bytes of a TCP transfer; no multiple of anything. */
#define BULK		100001u

/* What is sent repeats after so many bytes. */
#define PERIOD		65521u

/* A burst of datagrams, the last one shorter; bursts; tries of each. */
#define BURST		20u
#define DATAGRAM	1200u
#define LAST		301u
#define BURST_BYTES	((BURST - 1) * DATAGRAM + LAST)
#define BURSTS		4u
#define TRIES		5u

/* Seconds without any progress: a guest that moves may stand still for a while. */
#define PATIENCE	60

static u8 pattern[2 * PERIOD];

static int failed(const char *what, const char *where)
{
	fprintf(stderr, "bulk: %s: %s: %s\n", where, what, strerror(errno));
	return 1;
}

static void pattern_make(void)
{
	u32 x = 2463534242u;
	unsigned int i;

	for (i = 0; i < PERIOD; i++) {
		x ^= x << 13;
		x ^= x >> 17;
		x ^= x << 5;
		pattern[i] = x >> 24;
		pattern[i + PERIOD] = pattern[i];
	}
}

static void patience(int fd, int seconds)
{
	struct timeval limit = { .tv_sec = seconds };

	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
	setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof(limit));
}

static int send_bulk(int fd)
{
	unsigned int done = 0;
	ssize_t n;

	while (done < BULK) {
		size_t len = BULK - done < PERIOD ? BULK - done : PERIOD;

		n = send(fd, pattern + done % PERIOD, len, MSG_NOSIGNAL);
		if (n <= 0)
			return -1;
		done += n;
	}
	return 0;
}

static void wrong_byte(unsigned int at, const u8 *in, unsigned int len)
{
	unsigned int i = 0;

	while (i < len - 1 && in[i] == pattern[(at + i) % PERIOD])
		i++;
	fprintf(stderr, "bulk: wrong byte at %u of %u: %#x, not %#x\n", at + i, BULK, in[i],
		pattern[(at + i) % PERIOD]);
}

/*
 * To the end of the stream; -1 with EBADMSG for a byte that is another, with ENODATA
 * for an end before time.
 */
static int take_bulk(int fd)
{
	static u8 in[PERIOD];
	unsigned int done = 0;
	ssize_t n;

	while ((n = recv(fd, in, sizeof(in), 0)) > 0) {
		if (done + n > BULK || memcmp(in, pattern + done % PERIOD, n)) {
			wrong_byte(done, in, n);
			errno = EBADMSG;
			return -1;
		}
		done += n;
	}
	if (!n && done != BULK) {
		fprintf(stderr, "bulk: ended before time, at %u of %u\n", done, BULK);
		errno = ENODATA;
	}
	return n || done != BULK ? -1 : 0;
}

/* The client's first byte says who sends the bytes: it ('s'), or we. */
static void serve_stream(int fd)
{
	char what, answer;

	patience(fd, PATIENCE);
	if (recv(fd, &what, 1, 0) != 1)
		return;
	if (what != 's') {
		send_bulk(fd);
		return;
	}
	answer = take_bulk(fd) ? 'n' : 'y';
	send(fd, &answer, 1, MSG_NOSIGNAL);
}

/* As one send where the device's route lets it, else one by one. */
static int send_burst(int fd, const struct sockaddr *to, socklen_t to_len)
{
	int segment = DATAGRAM;
	unsigned int at;

	setsockopt(fd, SOL_UDP, UDP_SEGMENT, &segment, sizeof(segment));
	if (sendto(fd, pattern, BURST_BYTES, 0, to, to_len) == (ssize_t)BURST_BYTES)
		return 0;
	/* EIO: there is no checksum offload, on kernels that insist on it. */
	if (errno != EIO)
		return -1;
	segment = 0;
	setsockopt(fd, SOL_UDP, UDP_SEGMENT, &segment, sizeof(segment));
	for (at = 0; at < BURST_BYTES; at += DATAGRAM) {
		size_t len = BURST_BYTES - at < DATAGRAM ? BURST_BYTES - at : DATAGRAM;

		if (sendto(fd, pattern + at, len, 0, to, to_len) != (ssize_t)len)
			return -1;
	}
	return 0;
}

/* Put a datagram where it belongs; returns whether the burst is complete. */
static int gather(unsigned int *have, const u8 *in, ssize_t len)
{
	unsigned int i;

	for (i = 0; i < BURST; i++) {
		if (len == (i == BURST - 1 ? LAST : DATAGRAM) &&
		    !memcmp(in, pattern + i * DATAGRAM, len))
			*have |= 1u << i;
	}
	return *have == (1u << BURST) - 1;
}

static void serve_datagram(int fd)
{
	static unsigned int have;
	static struct sockaddr_in6 whose;
	struct sockaddr_in6 from;
	socklen_t len = sizeof(from);
	u8 in[2048];
	ssize_t n = recvfrom(fd, in, sizeof(in), 0, (struct sockaddr *)&from, &len);

	if (n < 0)
		return;
	if (whose.sin6_port != from.sin6_port || !memcmp(in, pattern, n))
		have = 0;
	whose = from;
	if (!gather(&have, in, n))
		return;
	have = 0;
	send_burst(fd, (struct sockaddr *)&from, len);
}

static int listener(int type, int port)
{
	struct sockaddr_in6 any = { .sin6_family = AF_INET6, .sin6_port = htons(port) };
	int fd = socket(AF_INET6, type, 0), on = 1;

	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	if (bind(fd, (struct sockaddr *)&any, sizeof(any)) ||
	    (type == SOCK_STREAM && listen(fd, 16)))
		return -1;
	return fd;
}

static int serve(int port)
{
	struct pollfd p[2] = {
		{ .fd = listener(SOCK_STREAM, port), .events = POLLIN },
		{ .fd = listener(SOCK_DGRAM, port), .events = POLLIN },
	};

	if (p[0].fd < 0 || p[1].fd < 0)
		return failed("cannot listen", "serve");
	signal(SIGCHLD, SIG_IGN);
	while (poll(p, 2, -1) >= 0) {
		if (p[1].revents)
			serve_datagram(p[1].fd);
		if (p[0].revents) {
			int fd = accept(p[0].fd, NULL, NULL);

			if (fd >= 0 && !fork()) {
				serve_stream(fd);
				_exit(0);
			}
			close(fd);
		}
	}
	return failed("poll", "serve");
}

/* A socket of our port @own, connected to @host. */
static int reach(const char *host, int type, int port, int own)
{
	struct sockaddr_in6 to6 = { .sin6_family = AF_INET6, .sin6_port = htons(port) };
	struct sockaddr_in to4 = { .sin_family = AF_INET, .sin_port = htons(port) };
	struct sockaddr_in6 own6 = { .sin6_family = AF_INET6, .sin6_port = htons(own) };
	struct sockaddr_in own4 = { .sin_family = AF_INET, .sin_port = htons(own) };
	int v6 = inet_pton(AF_INET6, host, &to6.sin6_addr) == 1;
	int fd = socket(v6 ? AF_INET6 : AF_INET, type, 0), on = 1;

	if (!v6 && inet_pton(AF_INET, host, &to4.sin_addr) != 1) {
		errno = EDESTADDRREQ;
		return -1;
	}
	patience(fd, PATIENCE);
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	if (bind(fd, v6 ? (void *)&own6 : &own4, v6 ? sizeof(own6) : sizeof(own4)) ||
	    connect(fd, v6 ? (void *)&to6 : &to4, v6 ? sizeof(to6) : sizeof(to4))) {
		close(fd);
		return -1;
	}
	return fd;
}

static int run_stream(const char *host, int port, int own, char what)
{
	int fd = reach(host, SOCK_STREAM, port, own);
	char answer = 'y';
	int bad;

	if (fd < 0)
		return failed("cannot connect", host);
	errno = 0;
	bad = send(fd, &what, 1, MSG_NOSIGNAL) != 1;
	if (what == 's')
		bad = bad || send_bulk(fd) || shutdown(fd, SHUT_WR) ||
		      recv(fd, &answer, 1, 0) != 1 || answer != 'y';
	else
		bad = bad || take_bulk(fd);
	if (bad)
		failed(what == 's' ? "TCP there" : "TCP back", host);
	close(fd);
	return bad;
}

static int run_burst(int fd)
{
	unsigned int have = 0;
	u8 in[2048];
	ssize_t n;

	if (send_burst(fd, NULL, 0))
		return -1;
	while ((n = recv(fd, in, sizeof(in), 0)) >= 0)
		if (gather(&have, in, n))
			return 0;
	return -1;
}

static int run_datagrams(const char *host, int port, int own)
{
	int fd = reach(host, SOCK_DGRAM, port, own);
	unsigned int burst, try;

	if (fd < 0)
		return failed("cannot connect", host);
	patience(fd, 2);
	for (burst = 0; burst < BURSTS; burst++) {
		for (try = 0; try < TRIES && run_burst(fd); try++)
			;
		if (try == TRIES) {
			failed("UDP there and back", host);
			break;
		}
	}
	close(fd);
	return burst != BURSTS;
}

int main(int argc, char **argv)
{
	int i, port, own;

	pattern_make();
	if (argc == 3 && !strcmp(argv[1], "serve"))
		return serve(atoi(argv[2]));
	if (argc < 5 || strcmp(argv[1], "run")) {
		fprintf(stderr, "usage: bulk serve PORT | bulk run PORT FIRST ADDRESS...\n");
		return 2;
	}
	port = atoi(argv[2]);
	own = atoi(argv[3]);
	for (i = 4; i < argc; i++, own += 3)
		if (run_stream(argv[i], port, own, 's') ||
		    run_stream(argv[i], port, own + 1, 'r') ||
		    run_datagrams(argv[i], port, own + 2))
			return 1;
	return 0;
}
