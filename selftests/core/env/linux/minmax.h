/* SPDX-License-Identifier: GPL-2.0 */
/* The kernel's types and min() for sources of kmod/core that need no more of it. */
#ifndef ENV_MINMAX_H
#define ENV_MINMAX_H

#include <linux/types.h>
#include <stdbool.h>

typedef __u64 u64;

#define min(a, b) ({			\
	__auto_type a_ = (a);		\
	__auto_type b_ = (b);		\
	a_ < b_ ? a_ : b_;		\
})

#define max(a, b) ({			\
	__auto_type a_ = (a);		\
	__auto_type b_ = (b);		\
	a_ > b_ ? a_ : b_;		\
})

#endif
