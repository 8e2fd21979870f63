// SPDX-License-Identifier: GPL-2.0
/*
 * vcpu_state_test.c - a vCPU's state is taken and put back in the right order.
 *
 * A KVM made of a few lines stands in for the real one, so that what only an
 * Intel processor shows is seen here: it holds MSRs and
 * like KVM refuses CR4 without VMXE while the guest is in VMX operation.
 */
#include <errno.h>
#include <linux/kvm.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>

#define FAKE_MSRS	3u
#define CR4_VMXE	(1u << 13)

static struct fake {
	uint32_t index[FAKE_MSRS];
	uint64_t data[FAKE_MSRS];
	uint64_t cr4;
	bool vmx_on;
	bool no_misc_enable;
} fake;

static uint64_t *fake_msr(uint32_t index)
{
	if (fake.no_misc_enable && index == 0x1a0)
		return NULL;
	for (unsigned int i = 0; i < FAKE_MSRS; i++)
		if (fake.index[i] == index)
			return &fake.data[i];
	return NULL;
}

static int fake_move_msrs(struct kvm_msrs *m, bool set)
{
	for (unsigned int i = 0; i < m->nmsrs; i++) {
		uint64_t *data = fake_msr(m->entries[i].index);

		if (!data)
			return (int)i;
		if (set) {
			*data = m->entries[i].data;
			/* As KVM does when its owner, not the guest, clears it. */
			if (m->entries[i].index == 0x3a && !*data)
				fake.vmx_on = false;
		} else {
			m->entries[i].data = *data;
		}
	}
	return (int)m->nmsrs;
}

static int fake_set_sregs(const struct kvm_sregs *s)
{
	if (fake.vmx_on && !(s->cr4 & CR4_VMXE)) {
		errno = EINVAL;
		return -1;
	}
	fake.cr4 = s->cr4;
	return 0;
}

static int fake_ioctl(int fd, unsigned long request, ...)
{
	va_list ap;
	void *arg;

	(void)fd;
	va_start(ap, request);
	arg = va_arg(ap, void *);
	va_end(ap);
	switch (request) {
	case KVM_GET_MSRS:
		return fake_move_msrs(arg, false);
	case KVM_SET_MSRS:
		return fake_move_msrs(arg, true);
	case KVM_GET_SREGS:
		memset(arg, 0, sizeof(struct kvm_sregs));
		((struct kvm_sregs *)arg)->cr4 = fake.cr4;
		return 0;
	case KVM_SET_SREGS:
		return fake_set_sregs(arg);
	default:
		return 0;
	}
}

#define ioctl fake_ioctl
#include "vcpu_state.c"
#undef ioctl

#include <kselftest_harness.h>

FIXTURE(vcpu_state) {
	struct kvm_msr_list *list;
	struct vcpu_state *state;
};

FIXTURE_SETUP(vcpu_state)
{
	fake = (struct fake){ .index = { 0x3a, 0x1a0, 0x2ff }, .data = { 0, 0x1800, 0 } };
	self->list = calloc(1, sizeof(*self->list) + FAKE_MSRS * sizeof(uint32_t));
	self->list->nmsrs = FAKE_MSRS;
	memcpy(self->list->indices, fake.index, sizeof(fake.index));
	self->state = NULL;
}

FIXTURE_TEARDOWN(vcpu_state)
{
	vcpu_state_free(self->state);
	free(self->list);
}

/* Shown with the fake only: what a guest makes of it takes an Intel processor. */
TEST_F(vcpu_state, V3_fast_strings_are_on_and_the_rest_of_the_msr_is_kept)
{
	ASSERT_EQ(0, vcpu_state_save(0, self->list, &self->state));
	EXPECT_EQ(0x1801, *fake_msr(0x1a0));
	EXPECT_EQ(0x806, *fake_msr(0x2ff));
	*fake_msr(0x1a0) = 0;
	ASSERT_EQ(0, vcpu_state_load(0, self->state));
	EXPECT_EQ(0x1801, *fake_msr(0x1a0));
}

TEST_F(vcpu_state, V3_a_model_without_the_msr_does_without)
{
	fake.no_misc_enable = true;
	ASSERT_EQ(0, vcpu_state_save(0, self->list, &self->state));
	EXPECT_EQ(0x806, *fake_msr(0x2ff));
	ASSERT_EQ(0, vcpu_state_load(0, self->state));
}

/* Shown with the fake only, likewise. */
TEST_F(vcpu_state, V4_a_reset_takes_the_guest_out_of_vmx_first)
{
	ASSERT_EQ(0, vcpu_state_save(0, self->list, &self->state));
	fake.cr4 = CR4_VMXE;
	fake.vmx_on = true;
	*fake_msr(0x3a) = 5;
	EXPECT_EQ(0, vcpu_state_load(0, self->state));
	EXPECT_FALSE(fake.vmx_on);
	EXPECT_EQ(0, fake.cr4);
	EXPECT_EQ(0, *fake_msr(0x3a));
}

TEST_HARNESS_MAIN
