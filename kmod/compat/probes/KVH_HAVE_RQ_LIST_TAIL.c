// SPDX-License-Identifier: GPL-2.0
/* Does a plug keep its requests in order, with a pointer to the last? */
#include <linux/blk-mq.h>
#include <linux/blkdev.h>

struct request *probe(struct blk_plug *plug)
{
	return plug->mq_list.tail;
}
