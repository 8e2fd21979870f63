# SPDX-License-Identifier: GPL-2.0
#
# What every selftests/<dir>/Makefile includes, after it has set
#
#   TEST_GEN_PROGS   test programs, each built from <name>.c
#   TEST_PROGS       test scripts
#   TEST_FILES       files the tests need beside them
#   TEST_GEN_FILES   programs the tests need beside them, built as above
#   EXTRA_SRCS       sources linked into every program
#   EXTRA_CFLAGS, EXTRA_LDLIBS
#   TEST_WHERE       host: on the machine, with ASan and UBSan;
#                    testhost: on the test host, with the modules loaded
#   TEST_ONCE        those of the programs that one kernel is enough for: they
#                    look at the VMM, or in a guest at what others look at
#                    without one
#   TEST_TIMEOUT     seconds a single program may take (default 45)
#
# A directory may add rules for more of its own; $(OUT)/<name> is where they go.

TOP	:= $(abspath $(dir $(lastword $(MAKEFILE_LIST)))/..)
DIR	:= $(notdir $(CURDIR))
OUT	:= $(TOP)/build/selftests/$(DIR)
TREE	:= $(TOP)/build/selftests/tree-$(TEST_WHERE)
KSFT	:= $(TOP)/build/kselftest

ifeq ($(filter host testhost,$(TEST_WHERE)),)
$(error $(CURDIR)/Makefile: TEST_WHERE is '$(TEST_WHERE)'; set it to host or testhost)
endif

SAN_host := -fsanitize=address,undefined -fno-sanitize-recover=all \
	    -fno-omit-frame-pointer
CFLAGS	?= -O2 -g
# kselftest's own headers are not warning-free, hence -isystem.
override CFLAGS += -std=gnu11 -D_GNU_SOURCE -Wall -Wextra -Werror \
	-Wno-unused-parameter -Wmissing-prototypes -Wstrict-prototypes \
	-pthread $(SAN_$(TEST_WHERE)) -isystem $(KSFT) -I$(TOP)/selftests \
	-I$(TOP)/kmod/include/uapi $(EXTRA_CFLAGS)

PROGS	:= $(addprefix $(OUT)/,$(TEST_GEN_PROGS) $(TEST_GEN_FILES))
EXTRA_OBJS := $(patsubst %.c,$(OUT)/obj/%.o,$(subst ../,_/,$(EXTRA_SRCS)))

all: $(PROGS)

$(OUT) $(OUT)/obj:
	@mkdir -p $@

# A change of flags or of this file builds anew.
$(OUT)/flags: FORCE | $(OUT)
	@echo '$(CC) $(CFLAGS) $(EXTRA_LDLIBS)' | cmp -s - $@ || \
		echo '$(CC) $(CFLAGS) $(EXTRA_LDLIBS)' >$@

define compile
	@echo "  CC      $(DIR)/$(notdir $<)"
	@mkdir -p $(@D)
	@$(CC) $(CFLAGS) -MMD -MP -c -o $@ $<
endef

$(OUT)/obj/%.o: %.c $(OUT)/flags $(KSFT)/stamp
	$(compile)

# A source outside the directory: ../lib/x.c becomes obj/_/lib/x.o.
define outside
$(patsubst %.c,$(OUT)/obj/%.o,$(subst ../,_/,$(1))): $(1) $(OUT)/flags $(KSFT)/stamp
	$$(compile)
endef
$(foreach src,$(filter ../%,$(EXTRA_SRCS)),$(eval $(call outside,$(src))))

$(PROGS): $(OUT)/%: $(OUT)/obj/%.o $(EXTRA_OBJS)
	@$(CC) $(CFLAGS) -o $@ $^ $(EXTRA_LDLIBS)

$(KSFT)/stamp:
	@$(MAKE) -C $(TOP)/selftests kselftest

# The layout that the kernel's "make install" of its selftests gives.
install: all
	@mkdir -p $(TREE)/$(DIR)
	@cp -p $(PROGS) $(TEST_PROGS) $(TEST_FILES) $(TREE)/$(DIR)/
	@echo "timeout=$(or $(TEST_TIMEOUT),45)" >$(TREE)/$(DIR)/settings
	@printf '$(DIR):%s\n' $(TEST_GEN_PROGS) $(notdir $(TEST_PROGS)) \
		>>$(TREE)/kselftest-list.txt
	@for test in $(TEST_ONCE); do echo "$(DIR):$$test"; done >>$(TREE)/kselftest-once.txt

clean:
	rm -rf $(OUT)

FORCE:
.PHONY: all install clean FORCE
.SECONDARY:
-include $(wildcard $(addprefix $(OUT)/obj/,*.d _/*/*.d _/_/*/*.d _/_/*/*/*.d))
