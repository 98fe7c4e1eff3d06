#define MICROPY_HW_BOARD_NAME "hanma terminal on LilyGO T-A7670"
#define MICROPY_HW_MCU_NAME   "ESP32"
