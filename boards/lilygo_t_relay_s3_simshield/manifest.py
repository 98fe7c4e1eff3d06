# The staged tree of this board goes into the image under `recovery`: see docs/image.md.

include("$(BOARD_DIR)/../frozen/manifest.py")
freeze("$(BOARD_DIR)/../../build/image/lilygo_t_relay_s3_simshield", opt=3)
