"""Objects of a mask as files of polygons: one layer ``objects``, one feature an object, written in a stream."""
