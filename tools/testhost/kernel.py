# SPDX-License-Identifier: GPL-2.0
"""The distribution kernel of a test host and the initramfs that starts it.

Both are made from installed packages, kept in build/testhost/ and made anew
when what they are made from is newer.
"""

import fcntl
import glob
import lzma
import os
import re
import shutil
import struct
import subprocess

# In the order of need; what they depend on is looked up and goes before them.
MODULES = ["virtio_pci", "9pnet_virtio", "9p", "overlay"]


class Missing(Exception):
    """Something that has to be installed is not; the text says what."""


def version_key(release):
    return [int(part) for part in re.findall(r"\d+", release)]


def find_release(wanted):
    """Newest installed kernel of a series such as 6.1, or a full release."""
    found = []
    for path in glob.glob("/boot/vmlinuz-*"):
        release = path[len("/boot/vmlinuz-"):]
        if not os.path.exists(f"/lib/modules/{release}/modules.dep"):
            continue
        series = re.match(r"\d+\.\d+", release)
        plain = re.fullmatch(r"[^-]+(-\d+)?-amd64", release)
        if release == wanted or (series and plain and series[0] == wanted):
            found.append(release)
    if not found:
        raise Missing(f"no kernel {wanted} is installed (no "
                      f"/boot/vmlinuz-{wanted}* with modules in /lib/modules);"
                      " 'sudo make deps' installs the supported ones")
    return max(found, key=version_key)


def up_to_date(target, sources):
    try:
        made = os.stat(target).st_mtime_ns
    except FileNotFoundError:
        return False
    return all(os.stat(source).st_mtime_ns <= made for source in sources)


# The ELF note that names the entry for PVH: sizes of name and contents, type, name.
PVH_NOTES = [struct.pack("<III", 4, size, 18) + b"Xen\0" for size in (4, 8)]


def unpack_kernel(image, target):
    """Extracts the ELF kernel of a bzImage; false if it is packed otherwise, or
    cannot be started directly.

    The emulator starts it by PVH and is spared the decompression, which would
    be half of the boot time. A kernel with KASAN has no PVH: what runs before
    its shadow memory is set up may not be instrumented.
    """
    with open(image, "rb") as file:
        data = file.read()
    setup = (data[0x1f1] or 4) + 1
    offset, length = struct.unpack_from("<II", data, 0x248)
    payload = data[setup * 512 + offset:][:length]
    if payload.startswith(b"\xfd7zXZ\0"):
        kernel = lzma.LZMADecompressor().decompress(payload)
    elif payload.startswith(b"\x28\xb5\x2f\xfd"):
        # The last four bytes are the size, which zstd takes for garbage.
        kernel = subprocess.run(["zstd", "-qdc"], input=payload[:-4],
                                stdout=subprocess.PIPE, check=True).stdout
    else:
        return False
    if not any(note in kernel for note in PVH_NOTES):
        return False
    with open(target, "wb") as file:
        file.write(kernel)
    return True


def module_files(release):
    """The modules of the initramfs in loading order; built-in ones left out."""
    files = []
    for module in MODULES:
        shown = subprocess.run(
            ["modprobe", "-S", release, "--show-depends", module], check=True,
            stdout=subprocess.PIPE, text=True, env={
                **os.environ, "PATH": os.environ["PATH"] + ":/usr/sbin:/sbin"
            }).stdout
        for line in shown.splitlines():
            kind, _, path = line.partition(" ")
            if kind == "insmod" and path.strip() not in files:
                files.append(path.strip())
    return files


def build_initramfs(release, init, target):
    tree = target + ".d"
    shutil.rmtree(tree, ignore_errors=True)
    for name in ["bin", "dev", "proc", "modules"]:
        os.makedirs(f"{tree}/{name}")
    shutil.copy("/bin/busybox", f"{tree}/bin/busybox")
    shutil.copy(init, f"{tree}/init")
    order = []
    for path in module_files(release):
        name = re.sub(r"\.ko.*", ".ko", os.path.basename(path))
        with open(path, "rb") as file:
            data = file.read()
        if path.endswith(".xz"):
            data = lzma.decompress(data)
        elif path.endswith(".zst"):
            data = subprocess.run(["zstd", "-qdc"], input=data, check=True,
                                  stdout=subprocess.PIPE).stdout
        with open(f"{tree}/modules/{name}", "wb") as file:
            file.write(data)
        order.append(name)
    with open(f"{tree}/modules/order", "w", encoding="ascii") as file:
        file.write("".join(name + "\n" for name in order))
    names = subprocess.run(["find", ".", "-mindepth", "1"], cwd=tree,
                           check=True, stdout=subprocess.PIPE).stdout
    with open(target + ".new", "wb") as file:
        subprocess.run(["cpio", "-o", "-H", "newc", "-R", "0:0", "--quiet"],
                       cwd=tree, input=names, stdout=file, check=True)
    shutil.rmtree(tree)
    os.rename(target + ".new", target)


def prepare(release, here, out):
    """Returns the paths of a kernel and an initramfs ready to boot."""
    image = f"/boot/vmlinuz-{release}"
    kernel = f"{out}/vmlinux-{release}"
    initramfs = f"{out}/initramfs-{release}.cpio"
    init = f"{here}/initramfs-init"
    os.makedirs(out, exist_ok=True)
    for tool in ["/bin/busybox", "/usr/bin/cpio", "/usr/bin/zstd"]:
        if not os.path.exists(tool):
            raise Missing(f"{tool} is not installed; run 'sudo make deps'")
    with open(f"{out}/.lock", "w", encoding="ascii") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not up_to_date(kernel, [image]):
            if unpack_kernel(image, kernel + ".new"):
                os.rename(kernel + ".new", kernel)
            else:
                kernel = image
        inputs = [init, __file__, "/bin/busybox",
                  f"/lib/modules/{release}/modules.dep"]
        if not up_to_date(initramfs, inputs):
            build_initramfs(release, init, initramfs)
    return kernel, initramfs
