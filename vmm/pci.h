/* SPDX-License-Identifier: GPL-2.0 */
/*
 * pci.h - one flat PCI bus: configuration space, memory BARs, MSI-X.
 *
 * The bus decodes port 0xcf8/0xcfc and the MMIO window and calls the functions
 * a device registered. All callbacks run on a vCPU thread with the bus lock
 * held, so a device sees one access at a time.
 */
#ifndef KVHOST_PCI_H
#define KVHOST_PCI_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define PCI_BARS 6

struct pci_bus;
struct pci_dev;
struct vm;

/**
 * struct pci_ops - what a PCI function implements
 * @bar_read:  fill @len (1, 2, 4 or 8) bytes from offset @off of BAR @bar
 * @bar_write: the same, storing
 * @cfg_read:  optional: a read of configuration space touched [@off, @off+@len);
 *             may update pci_dev.cfg before it is returned
 * @cfg_write: optional: called after a write to configuration space was applied
 * @reset:     machine reset
 */
struct pci_ops {
	void (*bar_read)(struct pci_dev *dev, int bar, uint64_t off, void *data,
			 unsigned int len);
	void (*bar_write)(struct pci_dev *dev, int bar, uint64_t off, const void *data,
			  unsigned int len);
	void (*cfg_read)(struct pci_dev *dev, unsigned int off, unsigned int len);
	void (*cfg_write)(struct pci_dev *dev, unsigned int off, unsigned int len);
	void (*reset)(struct pci_dev *dev);
};

/**
 * struct pci_dev - one function; embed it in the device
 * @ops:      what it implements; set before pci_dev_add()
 * @bus:      set by pci_dev_add()
 * @name:     for messages
 * @devfn:    set by pci_dev_add()
 * @cfg:      configuration space as the guest reads it
 * @cfg_mask: bits of @cfg the guest may change
 * @bar:      base address registers; a device may set @is64 (the next BAR is
 *            then its upper half) or @is_io before pci_bar_add()
 * @msix:     MSI-X state, NULL without pci_msix_init()
 */
struct pci_dev {
	const struct pci_ops *ops;
	struct pci_bus *bus;
	const char *name;
	unsigned int devfn;
	uint8_t cfg[256];
	uint8_t cfg_mask[256];
	struct {
		uint64_t size;
		uint64_t addr;
		bool enabled;
		bool is64;
		bool is_io;
	} bar[PCI_BARS];
	struct pci_msix *msix;
};

int pci_dev_add(struct pci_bus *bus, struct pci_dev *dev);
/* Take it off again, with doorbells and MSI-X; @dev may be freed then. The VM does not run. */
void pci_dev_del(struct pci_dev *dev);
int pci_bar_add(struct pci_dev *dev, int bar, uint64_t size);
/* Append a capability of @len bytes (from @body, past the two header bytes); returns its offset. */
int pci_cap_add(struct pci_dev *dev, uint8_t id, const void *body, unsigned int len);

/*
 * MSI-X. Table and PBA live in a BAR of their own. Each vector can own an
 * eventfd that is bound to the guest by irqfd; masking, moving and unmasking a
 * vector never loses an event (pending ones are delivered on unmask).
 */
int pci_msix_init(struct pci_dev *dev, int bar, unsigned int vectors);
bool pci_msix_enabled(const struct pci_dev *dev);
unsigned int pci_msix_vectors(const struct pci_dev *dev);
/* Raise vector once from userspace. */
void pci_msix_raise(struct pci_dev *dev, unsigned int vector);
/* Bind eventfd @fd to @vector through irqfd (fd < 0: unbind); several fds may share a vector. */
int pci_msix_bind(struct pci_dev *dev, unsigned int vector, int fd);
int pci_msix_unbind(struct pci_dev *dev, unsigned int vector, int fd);

/*
 * INTx for drivers without MSI-X: the function's line level.
 */
void pci_intx_set(struct pci_dev *dev, bool level);

/*
 * Bind eventfd @fd to a guest store of @len bytes (0: any) at offset @off of
 * memory BAR @bar. Follows the BAR when the guest moves it. @datamatch is
 * compared when @match.
 */
int pci_ioeventfd_add(struct pci_dev *dev, int bar, uint64_t off, unsigned int len,
		      bool match, uint64_t datamatch, int fd);
int pci_ioeventfd_del(struct pci_dev *dev, int bar, uint64_t off, unsigned int len,
		      bool match, uint64_t datamatch, int fd);

#endif
