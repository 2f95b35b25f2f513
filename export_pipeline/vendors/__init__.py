"""The vendors: `vendor.py` says what each must offer, a folder holds each one."""
