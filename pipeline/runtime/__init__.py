"""What a process has: memory, a device, a clock, progress, and the way of pixels to the device and back."""
