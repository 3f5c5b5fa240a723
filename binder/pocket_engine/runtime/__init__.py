"""Running one program in a root filesystem: namespaces or ptrace, mounts, seccomp, /etc files.

Owns the choice between bubblewrap and PRoot and every process of a job. May import procfs, inode_birth_time, errors.
"""
