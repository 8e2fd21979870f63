/* SPDX-License-Identifier: GPL-2.0 */
/*
 * msix.h - what pci.c needs of msix.c beyond the calls in pci.h.
 *
 * All under vm_lock() or before the VM runs, and only for a function that has
 * MSI-X (pci_dev.msix is not NULL).
 */
#ifndef KVHOST_MSIX_H
#define KVHOST_MSIX_H

#include <stdint.h>

struct pci_dev;

/* The BAR that holds table and PBA. */
int msix_bar(const struct pci_dev *dev);
void msix_bar_read(struct pci_dev *dev, uint64_t off, void *data, unsigned int len);
void msix_bar_write(struct pci_dev *dev, uint64_t off, const void *data, unsigned int len);
/* The message control word in configuration space may have changed. */
void msix_control_changed(struct pci_dev *dev);
void msix_reset(struct pci_dev *dev);
void msix_destroy(struct pci_dev *dev);

#endif
