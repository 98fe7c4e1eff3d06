# What an image with the boot path frozen in has, for MicroPython's build; the boards' manifests include it.
#
# MicroPython's own list for the port (ports/esp32/boards/manifest.py) is not included: its _boot.py gives up on a file system that
# cannot be mounted. What the firmware needs of that list is named here.

freeze("$(PORT_DIR)/modules", "flashbdev.py")
include("$(MPY_DIR)/extmod/asyncio")
require("ssl")
require("umqtt.simple")

freeze(".", ("_boot.py", "boot.py", "main.py"), opt=3)
