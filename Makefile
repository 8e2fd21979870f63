# SPDX-License-Identifier: GPL-2.0
#
# Front door of the project: every target is one line of "make help".
# All output goes to build/; modules go to build/kmod/<kernel release>/.
#
# KDIR=<kernel build directory>  build the modules against this kernel
# KREL=<kernel release>          the same for a kernel with installed headers
# Without either: the running kernel, or every supported one with headers here.

TOP	:= $(patsubst %/,%,$(dir $(abspath $(lastword $(MAKEFILE_LIST)))))
SHELL	:= /bin/bash
MAKEFLAGS += --no-print-directory
VERSION	= $(shell sed -n 's/^PACKAGE_VERSION="\(.*\)"/\1/p' $(TOP)/dkms.conf)

ifdef KDIR
# Debian's kernel.release is that of the source package, not of the kernel.
KREL	:= $(shell sed -n 's/.*UTS_RELEASE "\(.*\)"/\1/p' \
		$(KDIR)/include/generated/utsrelease.h 2>/dev/null)
ifeq ($(KREL),)
$(error KDIR=$(KDIR) is no configured kernel build directory)
endif
endif
kdir	= $(or $(KDIR),/lib/modules/$(1)/build)
krels	= $(or $(KREL),$(shell $(TOP)/tools/kmod/releases))
running	= $(TOP)/build/kmod/$(or $(KREL),$(shell uname -r))

all: modules vmm ## build the modules and the VMM (default)

help: ## this list
	@sed -n 's/^\([a-z_-]*\):.*## \(.*\)/\1\t\2/p' $(TOP)/Makefile | \
		expand -t 18

deps: ## install the Debian packages that building and testing need (root)
	@$(TOP)/tools/deps/install

modules: ## build the modules; KREL=<release> or KDIR=<dir> choose the kernel
	@$(if $(krels),:,exit 1)
	@$(foreach krel,$(krels),$(MAKE) -f $(TOP)/Makefile module-dir \
		KREL=$(krel) &&) :

# One kernel release. The compiler's directory is left to kbuild's own make.
module-dir:
	@test -e $(call kdir,$(KREL))/Makefile || { \
		echo "make: no headers of kernel $(KREL) in $(call kdir,$(KREL));" \
			"install linux-headers-$(KREL)" >&2; exit 1; }
	@$(TOP)/tools/kmod/farm $(TOP)/build/kmod/$(KREL)
	@echo "  MODULES $(KREL)"
	@flock $(TOP)/build/kmod/$(KREL).lock \
		$(MAKE) -s -C $(call kdir,$(KREL)) M=$(TOP)/build/kmod/$(KREL) modules \
		2> >(grep -v '^Skipping BTF generation' >&2)

modules_install: modules ## install the modules below /lib/modules (root)
	@# Header packages bring no signing key, and no System.map for depmod.
	@$(foreach krel,$(krels),$(MAKE) -s -C $(call kdir,$(krel)) \
		M=$(TOP)/build/kmod/$(krel) CONFIG_MODULE_SIG_ALL= \
		DEPMOD=true modules_install && depmod $(krel) &&) :

insmod: ## load the modules built for the running kernel (root)
	@$(TOP)/tools/kmod/load in $(running)

rmmod: ## unload the modules (root)
	@$(TOP)/tools/kmod/load out $(running)

dkms: ## hand the modules to DKMS, which builds and installs them (root)
	@$(TOP)/tools/kmod/dkms-add $(VERSION)

vmm: ## build the VMM, build/vmm/kvhost
	@$(MAKE) -C $(TOP)/vmm

selftests: ## build the selftests
	@$(MAKE) -C $(TOP)/selftests

check: deps ## run all tests; KERNELS="6.1 6.12" and TESTS="blk uapi" choose
	@$(TOP)/selftests/run

fuzz: ## fuzz rings and requests; SECONDS=600 in all, FUZZ_JOBS=2 at a time
	@$(TOP)/selftests/fuzz/run $(or $(SECONDS),60)

ring-bench: ## instructions and time per buffer of the ring code and its peers
	@$(TOP)/tools/bench/ring_bench

lint: ## checkpatch, sparse, W=1, shellcheck, codespell and kernel-doc
	@$(TOP)/tools/lint/lint all

run: ## boot a Debian guest on the in-kernel backend and benchmark it (root)
	@$(TOP)/tools/bench/run $(RUN_ARGS)

bench: ## kvhost beside its peers on the same work; QUICK=1, BENCH_ARGS="--suites net"
	@$(TOP)/tools/bench/kvhost-bench $(if $(QUICK),--quick) $(BENCH_ARGS)

testhost-shell: ## a shell on the test host; TESTHOST_ARGS="--kernel 6.12"
	@$(TOP)/tools/testhost/testhost --shell $(TESTHOST_ARGS)

clean: ## remove everything that was built
	@rm -rf $(TOP)/build

.PHONY: all help deps modules module-dir modules_install insmod rmmod dkms \
	vmm selftests check fuzz ring-bench bench lint run testhost-shell clean
