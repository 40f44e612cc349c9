"""The sizes of image that a network takes, and the margins that an unpadded network leaves off."""
