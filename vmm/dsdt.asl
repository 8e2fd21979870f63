/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The machine as ACPI sees it: one PCI root bridge, a serial port, a clock, a
 * panic device, and the way to switch off. acpi.c writes the 64-bit window,
 * which depends on the amount of RAM, where INFO points; irq.h has the lines.
 */
DefinitionBlock ("", "DSDT", 2, "KVHOST", "KVHOST", 0x00000001)
{
	Name (\_S5, Package () { 5, 0, 0, 0 })

	OperationRegion (INFO, SystemMemory, 0x000E0F00, 0x10)
	Field (INFO, QWordAcc, NoLock, Preserve)
	{
		MMIN, 64,
		MMAX, 64
	}

	Scope (\_SB)
	{
		Device (PCI0)
		{
			Name (_HID, EisaId ("PNP0A03"))
			Name (_UID, Zero)
			Name (_BBN, Zero)

			Name (CRSB, ResourceTemplate ()
			{
				WordBusNumber (ResourceProducer, MinFixed, MaxFixed, PosDecode,
					0, 0, 0, 0, 1)
				IO (Decode16, 0x0CF8, 0x0CF8, 1, 8)
				WordIO (ResourceProducer, MinFixed, MaxFixed, PosDecode,
					EntireRange, 0, 0x1000, 0xFFFF, 0, 0xF000)
				DWordMemory (ResourceProducer, PosDecode, MinFixed, MaxFixed,
					NonCacheable, ReadWrite,
					0, 0xC0000000, 0xFDFFFFFF, 0, 0x3E000000)
				QWordMemory (ResourceProducer, PosDecode, MinFixed, MaxFixed,
					Cacheable, ReadWrite,
					0, 0, 0, 0, 1, , , W64)
			})

			Method (_CRS, 0, Serialized)
			{
				CreateQWordField (CRSB, \_SB.PCI0.W64._MIN, WMIN)
				CreateQWordField (CRSB, \_SB.PCI0.W64._MAX, WMAX)
				CreateQWordField (CRSB, \_SB.PCI0.W64._LEN, WLEN)
				WMIN = MMIN
				WMAX = MMAX
				WLEN = MMAX - MMIN + 1
				Return (CRSB)
			}

			/* Slot n raises interrupt 16 + n % 8. */
			Method (_PRT, 0, Serialized)
			{
				Local0 = Package (32) {}
				Local1 = 0
				While (Local1 < 32)
				{
					Local0[Local1] = Package ()
						{ 0, 0, 0, 0 }
					Local2 = DerefOf (Local0[Local1])
					Local2[0] = (Local1 << 16) | 0xFFFF
					Local2[3] = 16 + (Local1 & 7)
					Local0[Local1] = Local2
					Local1++
				}
				Return (Local0)
			}

			Device (COM1)
			{
				Name (_HID, EisaId ("PNP0501"))
				Name (_UID, One)
				Name (_CRS, ResourceTemplate ()
				{
					IO (Decode16, 0x03F8, 0x03F8, 1, 8)
					IRQNoFlags () { 4 }
				})
			}

			Device (RTC0)
			{
				Name (_HID, EisaId ("PNP0B00"))
				Name (_CRS, ResourceTemplate ()
				{
					IO (Decode16, 0x0070, 0x0070, 1, 2)
				})
			}

			Device (PEVT)
			{
				Name (_HID, "QEMU0001")
				Name (_CRS, ResourceTemplate ()
				{
					IO (Decode16, 0x0505, 0x0505, 1, 1)
				})
			}
		}
	}
}
