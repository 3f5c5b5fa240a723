"""Running a program in a root filesystem, and what stands between the two."""
