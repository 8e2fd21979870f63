// SPDX-License-Identifier: GPL-2.0
/*
 * node.c - the character devices, one per backend.
 *
 * Nodes get a dynamic minor of the misc major, which is what front ends that
 * look for a vhost device accept.
 */
#include <linux/miscdevice.h>
#include <linux/slab.h>
#include "core.h"

struct kvh_node {
	struct miscdevice misc;
	const struct kvh_backend *backend;
};

/**
 * kvh_node_of() - the node a file was opened through
 * @file: file in kvh_dev_fops.open, where misc has left its device
 *
 * Context: Process context.
 * Return: the node
 */
struct kvh_node *kvh_node_of(struct file *file)
{
	return container_of(file->private_data, struct kvh_node, misc);
}

/**
 * kvh_node_get() - the backend behind a node
 * @node: node
 *
 * Context: Any.
 * Return: the backend
 */
const struct kvh_backend *kvh_node_get(struct kvh_node *node)
{
	return node->backend;
}

/**
 * kvh_node_register() - make /dev/kvhost-<name>
 * @backend: what serves it; stays valid until the node is unregistered
 *
 * Context: Module init.
 * Return: the node, or an ERR_PTR: -ENOMEM, or what misc_register() gives
 */
struct kvh_node *kvh_node_register(const struct kvh_backend *backend)
{
	struct kvh_node *node = kzalloc(sizeof(*node), GFP_KERNEL);
	int ret = -ENOMEM;

	if (!node)
		return ERR_PTR(-ENOMEM);
	node->backend = backend;
	node->misc.minor = MISC_DYNAMIC_MINOR;
	node->misc.fops = &kvh_dev_fops;
	node->misc.name = kasprintf(GFP_KERNEL, "kvhost-%s", backend->name);
	if (node->misc.name)
		ret = misc_register(&node->misc);
	if (ret) {
		kfree(node->misc.name);
		kfree(node);
		return ERR_PTR(ret);
	}
	return node;
}
EXPORT_SYMBOL_GPL(kvh_node_register);

/**
 * kvh_node_unregister() - undo kvh_node_register()
 * @node: node; no file opened through it is left
 *
 * Context: Module exit.
 */
void kvh_node_unregister(struct kvh_node *node)
{
	misc_deregister(&node->misc);
	kfree(node->misc.name);
	kfree(node);
}
EXPORT_SYMBOL_GPL(kvh_node_unregister);
