"""Makes the image of a chip's flash from a staged tree: LittleFS, written by MicroPython itself."""


from hanma import toolchain

_BURN = """
import os, sys, vfs
tree, path, blocks, is_full = {arguments!r}

class File:
    def __init__(self):
        self.image = bytearray(b"\\xff" * (4096 * blocks))
    def readblocks(self, block, buffer, offset=0):
        at = block * 4096 + offset
        buffer[:] = memoryview(self.image)[at : at + len(buffer)]
    def writeblocks(self, block, buffer, offset=0):
        at = block * 4096 + offset
        self.image[at : at + len(buffer)] = buffer
    def ioctl(self, request, argument):
        if request == 6:
            self.image[argument * 4096 : argument * 4096 + 4096] = b"\\xff" * 4096
            return 0
        return {{4: blocks, 5: 4096}}.get(request, 0)

def copy(source, target):
    for entry in os.ilistdir(source):
        name = "/" + entry[0]
        if entry[1] & 0x4000:
            os.mkdir(target + name)
            copy(source + name, target + name)
        else:
            with open(source + name, "rb") as old, open(target + name, "wb") as new:
                new.write(old.read())

flash = File()
vfs.VfsLfs2.mkfs(flash)
vfs.mount(vfs.VfsLfs2(flash), "/burn")
copy(tree, "/burn")
size = 4096
while is_full and size:
    try:
        with open("/burn/ballast" + str(size), "ab") as file:
            while True:
                file.write(b"x" * size)
                file.flush()
    except OSError:
        size //= 8
vfs.umount("/burn")
with open(path, "wb") as file:
    file.write(flash.image)
"""


def image(tree, path, blocks, is_full=False):
    """Write the image of so many blocks of 4 KiB. is_full: a ballast takes every free block."""
    arguments = (str(tree), str(path), blocks, is_full)
    toolchain.run([toolchain.micropython(), "-X", "heapsize=16M", "-c", _BURN.format(arguments=arguments)])
