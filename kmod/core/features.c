// SPDX-License-Identifier: GPL-2.0
/*
 * features.c - which feature bits the core serves and which go together.
 */
#include <linux/virtio_config.h>
#include <linux/virtio_ring.h>
#include "core.h"

#define CORE_FEATURES	(BIT_ULL(VIRTIO_F_VERSION_1) |		\
			 BIT_ULL(VIRTIO_RING_F_INDIRECT_DESC) |	\
			 BIT_ULL(VIRTIO_RING_F_EVENT_IDX) |	\
			 BIT_ULL(VIRTIO_F_ACCESS_PLATFORM) |	\
			 BIT_ULL(VIRTIO_F_RING_PACKED) |	\
			 BIT_ULL(VIRTIO_F_IN_ORDER) |		\
			 BIT_ULL(VIRTIO_F_RING_RESET) |		\
			 BIT_ULL(VHOST_F_LOG_ALL))

/**
 * kvh_features_limit() - offer fewer features on a device
 * @dev:  device
 * @most: feature bits to offer at most; VIRTIO_F_VERSION_1 is offered in any case,
 *        because no queue starts without it
 *
 * Context: From kvh_backend.open.
 */
void kvh_features_limit(struct kvh_dev *dev, u64 most)
{
	dev->withheld = ~(most | BIT_ULL(VIRTIO_F_VERSION_1));
}
EXPORT_SYMBOL_GPL(kvh_features_limit);

/**
 * kvh_features_offered() - what VHOST_GET_FEATURES answers
 * @dev: device
 *
 * Context: Any.
 * Return: feature bits of core and backend together, less those withheld
 */
u64 kvh_features_offered(const struct kvh_dev *dev)
{
	return (CORE_FEATURES | dev->backend->features) & ~dev->withheld;
}

/*
 * A feature that makes no sense without another (2.2.2). What vhost serves as
 * well is not among them, because vhost accepts it alone; no queue starts
 * without VIRTIO_F_VERSION_1.
 */
static const struct {
	u64 feature;
	u64 needs;
} feature_rules[] = {
	{ BIT_ULL(VIRTIO_F_RING_PACKED), BIT_ULL(VIRTIO_F_VERSION_1) },
	{ BIT_ULL(VIRTIO_F_IN_ORDER), BIT_ULL(VIRTIO_F_VERSION_1) },
};

/**
 * kvh_features_check() - may these features be acknowledged?
 * @dev:      device
 * @features: feature bits
 *
 * Context: Any.
 * Return: 0; -EOPNOTSUPP for a bit not offered, -EINVAL for one whose
 * prerequisite is missing
 */
int kvh_features_check(const struct kvh_dev *dev, u64 features)
{
	unsigned int i;

	if (features & ~kvh_features_offered(dev))
		return -EOPNOTSUPP;
	for (i = 0; i < ARRAY_SIZE(feature_rules); i++)
		if ((features & feature_rules[i].feature) &&
		    !(features & feature_rules[i].needs))
			return -EINVAL;
	return 0;
}
