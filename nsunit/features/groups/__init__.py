"""Groups: slices around those of their members, `Slice=`."""
